-- Tells tick which floors should move: about one hint for 32 jobs taken, and as often one for a
-- lane that was probed in vain (its dead prefix grows with every probe, and no claim takes from
-- it). Returns true, so that it can be called in an expression.
create or replace function fairclaim_internal.leave_hints(
  p_queue text,
  p_turns bigint[],
  p_probed int,
  p_ordinals int[],
  p_jobs fairclaim_internal.ready[]
) returns boolean
language plpgsql
as $$
declare
  v_took int := coalesce(cardinality(p_jobs), 0);
  v_dry int;                      -- one of the turns that were probed; a hint if it gave nothing
begin
  if v_took >= 20 then
    insert into floor_hint (lane_id)
    select distinct taken.lane_id from unnest(p_jobs) taken where random() < 0.03;
  elsif random() < v_took * 0.03 then
    insert into floor_hint (lane_id) values ((p_jobs[1 + floor(random() * v_took)::int]).lane_id);
  end if;
  if random() < (p_probed - v_took) * 0.03 then
    v_dry := 1 + floor(random() * p_probed)::int;
    insert into floor_hint (lane_id)
    select lane.lane_id from lane
     where lane.walked and lane.queue = p_queue and lane.turn = p_turns[v_dry]
       and v_dry <> all (coalesce(p_ordinals, '{}'))
     order by lane.queue, lane.turn, lane.priority desc, lane.lane_id limit 4;
  end if;
  return true;
end
$$;

comment on function fairclaim_internal.leave_hints(text, bigint[], int,
    int[], fairclaim_internal.ready[]) is
'Hints for tick: lanes whose floor should move.';
