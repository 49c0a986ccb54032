-- Tells tick which floors should move, for a claim of one: the lanes of the cursor's tenant, and
-- those behind it up to the first that has a row (33 at most). Called for about one claim in 32, so
-- each lane that a claim takes from, or probes in vain, is hinted at as often.
create or replace function fairclaim_internal.hint_passed(p_queue text, p_pos bigint) returns void
language plpgsql
as $$
begin
  insert into floor_hint (lane_id)
  select passed.lane_id
    from (select own.lane_id,
                 count(*) filter (where own.turn > p_pos and own.waits)
                   over (rows between unbounded preceding and 1 preceding) as waiting_before
            from (select lane.lane_id, lane.turn,
                         exists (select from ready
                                  where ready.lane_id = lane.lane_id
                                    and ready.seq >= lane.floor) as waits
                    from lane
                   where lane.walked and lane.queue = p_queue and lane.turn >= p_pos
                   order by lane.queue, lane.turn, lane.priority desc, lane.lane_id
                   limit 33) own) passed
   where coalesce(passed.waiting_before, 0) = 0;
end
$$;

comment on function fairclaim_internal.hint_passed(text, bigint) is
'Hints for tick: own lanes that a claim of one from this place on probes.';
