-- As next_turns, for few types among many: each type's lanes are walked by an index of their own
-- and merged.
-- stretch: 0 the cursor's tenant with the rest of its quantum, 1 the turns after it, 2 those before
-- it, 3 the cursor's tenant again.
create or replace function fairclaim_internal.next_turns_by_type(
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
  select array_agg(next.turn order by next.stretch, next.turn),
         array_agg(next.tenant_id order by next.stretch, next.turn),
         array_agg(next.weight order by next.stretch, next.turn)
    into turns, tenants, weights
    from (select distinct on (walk.stretch, walk.turn) walk.*
            from unnest(p_types) asked(type)
           cross join lateral (
             (select lane.turn, lane.tenant_id, lane.weight::int as weight, 0 as stretch from lane
               where lane.walked and lane.queue = p_queue and lane.type = asked.type
                 and lane.turn = p_pos and (p_used = 0 or lane.weight > p_used) limit 1)
             union all
             (select distinct on (lane.turn) lane.turn, lane.tenant_id, lane.weight::int, 1
                from lane
               where lane.walked and lane.queue = p_queue and lane.type = asked.type
                 and lane.turn > p_pos
               order by lane.turn limit p_walk)
             union all
             (select distinct on (lane.turn) lane.turn, lane.tenant_id, lane.weight::int, 2
                from lane
               where lane.walked and lane.queue = p_queue and lane.type = asked.type
                 and lane.turn < p_pos
               order by lane.turn limit p_walk)
             union all
             (select lane.turn, lane.tenant_id, lane.weight::int, 3 from lane
               where lane.walked and lane.queue = p_queue and lane.type = asked.type
                 and lane.turn = p_pos and p_used > 0 limit 1)
             limit p_walk) walk
           order by walk.stretch, walk.turn limit p_walk) next;
end
$$;

comment on function fairclaim_internal.next_turns_by_type(text, text[], bigint, int, int) is
'As next_turns, where the types of a claim are few of those that wait.';
