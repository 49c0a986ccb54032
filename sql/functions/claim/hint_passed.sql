-- Tells tick which floors should move, for a claim of one: the lanes of the cursor's tenant, and those behind it up to the first that has a
-- row (33 at most). Called for about one claim in 32, so each lane that a claim takes from, or probes in vain, is hinted at as often.
create or replace function fairclaim.hint_passed(p_queue text, p_pos bigint) returns void
language plpgsql
as $$
begin
  insert into fairclaim.floor_hint (lane_id)
  select w.lane_id
    from (select l.lane_id, l.turn, count(*) filter (where l.turn > p_pos and l.waits) over (rows between unbounded preceding and 1 preceding) before
            from (select o.lane_id, o.turn, exists (select from fairclaim.ready y where y.lane_id = o.lane_id and y.seq >= o.floor) as waits
                    from fairclaim.lane o
                   where o.tenant_id is not null and o.queue = p_queue and o.turn >= p_pos
                   order by o.queue, o.turn, o.priority desc, o.lane_id limit 33) l) w
   where coalesce(w.before, 0) = 0;
end
$$;

comment on function fairclaim.hint_passed(text, bigint) is
'Hints for tick: own lanes that a claim of one from this place on probes.';
