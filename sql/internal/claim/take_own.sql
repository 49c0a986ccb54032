-- Locks exactly what is taken, and takes it out of `ready`. Each lane is probed once; inside a
-- tenant the higher priority goes first, then the older lane. ordinals: which of the p_turns a job
-- belongs to.
create or replace function fairclaim_internal.take_own(
  p_queue text,
  p_types text[],
  p_turns bigint[],
  p_quanta int[],
  p_limit int,
  out ordinals int[],
  out jobs fairclaim_internal.ready[]
)
language plpgsql
as $$
begin
  with taken as materialized (
    select visit.ordinal::int as ordinal, waiting.place, waiting.job
      from unnest(p_turns, p_quanta) with ordinality visit(turn, quantum, ordinal)
     cross join lateral (
       select found.place, found.job
         from (select lane.lane_id, lane.floor from lane
                where lane.walked and lane.queue = p_queue and lane.turn = visit.turn
                  and (p_types is null or lane.type = any (p_types))
                order by lane.queue, lane.turn, lane.priority desc, lane.lane_id) own
        cross join lateral (
          select ready.ctid as place, ready as job from ready
           where ready.lane_id = own.lane_id and ready.seq >= own.floor
           order by ready.lane_id, ready.seq limit visit.quantum for update skip locked) found
        limit visit.quantum) waiting
     where visit.quantum > 0
     limit p_limit),
  gone as (
    delete from ready where ready.ctid = any (array(select taken.place from taken)))
  select array_agg(taken.ordinal), array_agg(taken.job) into ordinals, jobs from taken;
end
$$;

comment on function fairclaim_internal.take_own(text, text[], bigint[], int[], int) is
'Takes jobs out of own lanes, in turn.';
