-- Moves floors. Of own lanes only those that claims have hinted at, read behind the last hint; all
-- hints four times a minute. Of shared lanes a slice of 200, when at least 500 numbers are skipped.
-- All lanes share the numbers, so the more lanes there are, the fewer rows of one lane are among
-- 500 numbers, and the more numbers have to be skipped: each moved floor is a dead row of `lane`
-- for as long as a snapshot is held. The same look finds the oldest waiting shared row, for
-- shared_since (30 s back at most), notes that a shared lane is in use, and tells whether any
-- shared row waits. It passes over locked lanes: a tick that was passed may hold them.
create or replace function fairclaim_internal.move_floors(
  inout p_state fairclaim_internal.tick_state,
  p_all boolean,
  out moved int,
  out waiting boolean
)
language plpgsql
as $$
declare
  v_lanes bigint[];
  v_seen int;
  v_last bigint;
  v_first_id uuid;
  v_whole boolean := p_state.shared_slice = -9223372036854775808;
  v_ms bigint := millis(p_state.at);
begin
  with gone as (
    delete from floor_hint
     where floor_hint.ctid = any (array(
       select hint.ctid from floor_hint hint
        where hint.hint_id > case when p_all then 0 else p_state.hint end
        order by hint.hint_id limit 5000 for update skip locked))
    returning floor_hint.hint_id, floor_hint.lane_id)
  select array_agg(distinct gone.lane_id), coalesce(max(gone.hint_id), p_state.hint)
    into v_lanes, p_state.hint
    from gone;

  with own as (
    update lane set floor = free.floor
      from (select locked.place, target.floor
              from (select hinted.lane_id, hinted.floor as was,
                           least(p_state.safe, coalesce(first.seq, p_state.safe)) as floor
                      from lane hinted
                      left join lateral (
                        select ready.seq from ready
                         where ready.lane_id = hinted.lane_id and ready.seq >= hinted.floor
                         order by ready.lane_id, ready.seq limit 1) first on true
                     where hinted.lane_id = any (v_lanes) and hinted.tenant_id is not null) target
             cross join lateral (
               select again.ctid as place from lane again
                where again.lane_id = target.lane_id and target.floor > target.was
                  for update skip locked) locked) free
     where lane.ctid = free.place
    returning 1),
  look as materialized (
    select slice.lane_id, slice.floor, slice.used_at,
           least(p_state.shared_safe, coalesce(first.seq, p_state.shared_safe)) as next_floor,
           first.id
      from (select lane.lane_id, lane.floor, lane.used_at from lane
             where lane.tenant_id is null and lane.lane_id > p_state.shared_slice
             order by lane.lane_id limit 200) slice
      left join lateral (
        select ready.seq, ready.id from ready
         where ready.lane_id = slice.lane_id and ready.seq >= slice.floor
         order by ready.lane_id, ready.seq limit 1) first on true),
  shared as (
    update lane
       set floor = case when free.moves then free.next_floor else lane.floor end,
           used_at = case when free.id is not null then p_state.at else lane.used_at end
      from (select step.*, locked.place
              from (select look.*,
                           look.next_floor >= look.floor
                             + least(5000, 500 * greatest(1, count(*) over () / 20)) as moves
                      from look) step
             cross join lateral (
               select again.ctid as place from lane again
                where again.lane_id = step.lane_id
                  and (step.moves
                       or step.id is not null and step.used_at < p_state.at - interval '1 minute')
                  for update skip locked) locked) free
     where lane.ctid = free.place
    returning 1)
  select (select count(*) from own) + (select count(*) from shared), count(*), max(look.lane_id),
         min(look.id::text)::uuid, count(look.id) > 0 or count(*) = 200
    into moved, v_seen, v_last, v_first_id, waiting
    from look;

  waiting := waiting or not v_whole;
  if v_seen < 200 and v_whole then            -- all shared lanes were seen
    perform setval('shared_since', greatest(v_ms - 30000, least(v_ms,
      coalesce(('x' || left(replace(v_first_id::text, '-', ''), 12))::bit(48)::bigint, v_ms))));
  else
    perform setval('shared_since', v_ms - 30000);
  end if;
  p_state.shared_slice := case when v_seen < 200 then -9223372036854775808 else v_last end;
end
$$;

comment on function fairclaim_internal.move_floors(fairclaim_internal.tick_state, boolean) is
'Moves the floors of lanes, where claims start, up to the first row that waits.';
