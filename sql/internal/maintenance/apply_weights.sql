-- Gives the lanes of tenants whose weight has changed that weight, a slice of the notes. A dispatch
-- that was under way when the weight changed may still open a lane with the old one: so each note
-- is worked twice, the second time when all transactions that were open at the first have ended (as
-- for lanes, see close_lanes), and then deleted. A note of a tenant with a lane that is locked
-- stays as it is. Locks lanes, then notes, each skip locked.
create or replace function fairclaim_internal.apply_weights(
  p_state fairclaim_internal.tick_state,
  p_size int
) returns int
language plpgsql
as $$
declare
  v_new bigint[] := array(
    select note.note_id from weight_note note where note.seen is null limit p_size);
  v_old bigint[] := array(
    select note.note_id from weight_note note
     where note.seen < least(p_state.oldest - 1, p_state.n) limit p_size);
  v_lanes bigint[];
  v_stuck uuid[];
begin
  with note as materialized (
    select distinct noted.tenant_id, noted.queue from weight_note noted
     where noted.note_id = any (v_new || v_old))
  select array_agg(found.lane_id) into v_lanes
    from note
   cross join lateral (
     select lane.lane_id from lane
      where lane.tenant_id = note.tenant_id and (note.queue = '' or lane.queue = note.queue)
        and lane.weight <> weight_of(lane.tenant_id, lane.queue)
        and not exists (            -- fair by seconds: weigh_slice sees to it
              select from queue_time where queue_time.queue = lane.queue) offset 0) found;
  if v_lanes is not null then
    update lane set weight = weight_of(lane.tenant_id, lane.queue)
     where lane.ctid = any (array(
       select outdated.ctid from lane outdated
        where outdated.lane_id = any (v_lanes) for update skip locked));
    select array_agg(distinct lane.tenant_id) into v_stuck
      from lane
     where lane.lane_id = any (v_lanes)
       and lane.weight <> weight_of(lane.tenant_id, lane.queue);
  end if;
  update weight_note set seen = p_state.n
   where weight_note.ctid = any (array(
     select note.ctid from weight_note note
      where note.note_id = any (v_new) and note.tenant_id <> all (coalesce(v_stuck, '{}'))
        for update skip locked));
  delete from weight_note
   where weight_note.ctid = any (array(
     select note.ctid from weight_note note
      where note.note_id = any (v_old) and note.tenant_id <> all (coalesce(v_stuck, '{}'))
        for update skip locked));
  return case when p_size in (cardinality(v_new), cardinality(v_old)) and v_stuck is null
              then p_size else cardinality(v_new) end;
end
$$;

comment on function fairclaim_internal.apply_weights(fairclaim_internal.tick_state, int) is
'Gives lanes the weights that have changed. Returns how many notes of changes it worked, p_size when more are left.';
