-- As next_turns, for few types among many: each type's lanes are walked by an index of their own and merged.
create or replace function fairclaim.next_turns_by_type(
  p_queue text,
  p_types text[],
  p_pos bigint,
  p_used int,
  p_walk int,
  out turns bigint[],
  out tenants uuid[],
  out weights int[]
)
language plpgsql
set enable_sort = on
as $$
begin
  select array_agg(w.turn order by w.g, w.turn), array_agg(w.t order by w.g, w.turn), array_agg(w.w order by w.g, w.turn)
    into turns, tenants, weights
    from (select distinct on (x.g, x.turn) x.*
            from unnest(p_types) y(type)
           cross join lateral (
             (select l.turn, l.tenant_id t, l.weight::int w, 0 g from fairclaim.lane l
               where l.tenant_id is not null and l.queue = p_queue and l.type = y.type and l.turn = p_pos
                 and (p_used = 0 or l.weight > p_used) limit 1)
             union all
             (select distinct on (l.turn) l.turn, l.tenant_id, l.weight::int, 1 from fairclaim.lane l
               where l.tenant_id is not null and l.queue = p_queue and l.type = y.type and l.turn > p_pos
               order by l.turn limit p_walk)
             union all
             (select distinct on (l.turn) l.turn, l.tenant_id, l.weight::int, 2 from fairclaim.lane l
               where l.tenant_id is not null and l.queue = p_queue and l.type = y.type and l.turn < p_pos
               order by l.turn limit p_walk)
             union all
             (select l.turn, l.tenant_id, l.weight::int, 3 from fairclaim.lane l
               where l.tenant_id is not null and l.queue = p_queue and l.type = y.type and l.turn = p_pos and p_used > 0 limit 1)
             limit p_walk) x
           order by x.g, x.turn limit p_walk) w;
end
$$;

comment on function fairclaim.next_turns_by_type(text, text[], bigint, int, int) is
'As next_turns, where the types of a claim are few of those that wait.';
