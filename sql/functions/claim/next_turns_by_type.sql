-- As next_turns, for few types among many: each type's lanes are walked by an index of their own and merged.
create or replace function fairclaim.next_turns_by_type(
  p_queue text,
  p_types text[],
  p_pos bigint,
  p_used int,
  p_limit int,
  p_walk int,
  out turns bigint[],
  out tenants uuid[],
  out quanta int[],
  out weights int[]
)
language plpgsql
set enable_sort = on
as $$
begin
  select array_agg(w.turn order by w.o), array_agg(w.t order by w.o),
         array_agg(case when w.first then w.w * w.m - p_used else w.w * w.m end order by w.o), array_agg(w.w order by w.o)
    into turns, tenants, quanta, weights
    from (select s.*, row_number() over (order by s.g, s.turn) o,
                 case when count(*) over () < p_walk then greatest(1, p_limit / sum(s.w) over ()) else greatest(1, p_limit / 64) end::int m
            from (select distinct on (x.g, x.turn) x.*
                    from unnest(p_types) y(type)
                   cross join lateral (
                     (select l.turn, l.tenant_id t, l.weight::int w, p_used > 0 as first, 0 g from fairclaim.lane l
                       where l.tenant_id is not null and l.queue = p_queue and l.type = y.type and l.turn = p_pos
                         and (p_used = 0 or l.weight > p_used) limit 1)
                     union all
                     (select distinct on (l.turn) l.turn, l.tenant_id, l.weight::int, false, 1 from fairclaim.lane l
                       where l.tenant_id is not null and l.queue = p_queue and l.type = y.type and l.turn > p_pos
                       order by l.turn limit p_walk)
                     union all
                     (select distinct on (l.turn) l.turn, l.tenant_id, l.weight::int, false, 2 from fairclaim.lane l
                       where l.tenant_id is not null and l.queue = p_queue and l.type = y.type and l.turn < p_pos
                       order by l.turn limit p_walk)
                     union all
                     (select l.turn, l.tenant_id, l.weight::int, false, 3 from fairclaim.lane l
                       where l.tenant_id is not null and l.queue = p_queue and l.type = y.type and l.turn = p_pos and p_used > 0 limit 1)
                     limit p_walk) x
                   order by x.g, x.turn limit p_walk) s) w;
end
$$;

comment on function fairclaim.next_turns_by_type(text, text[], bigint, int, int, int) is
'As next_turns, where the types of a claim are few of those that wait.';
