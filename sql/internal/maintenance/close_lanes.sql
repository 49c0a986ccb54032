-- Looks at a slice of lanes: deletes drained ones, and closes empty ones to dispatch.
--
-- Deleted are lanes drained at tick d that are empty in a later snapshot and have nothing to renew,
-- once every transaction that the tick after d or an earlier one saw first has ended, so that none
-- can still insert. Lanes that a passed tick closed stay until it has been freed (see take_guard).
--
-- Closed to dispatch are empty lanes: own ones that are old enough, and shared ones that have not
-- been used for an hour or are not the oldest open one of their key. In a slice at most 1,000 more
-- are drained than stay open: under a transaction that stays open for long, drained lanes would
-- pile up.
--
-- Locks lanes, and passes over locked ones: a tick that was passed may hold them.
create or replace function fairclaim_internal.close_lanes(
  inout p_state fairclaim_internal.tick_state,
  p_size int,
  out closed int,
  out deleted int
)
language plpgsql
as $$
declare
  v_lanes bigint[];
  v_close bigint[];
  v_room bigint;
  v_delay interval := (select setting.close_delay from setting);
begin
  select array_agg(looked.lane_id),
         array_agg(looked.lane_id) filter (
           where looked.drained is null
             and (looked.tenant_id is not null and looked.opened_at < p_state.at - v_delay
                  or looked.tenant_id is null
                     and (looked.used_at < p_state.at - interval '1 hour' or exists (
                            select from lane older
                             where older.tenant_id is null and older.queue = looked.queue
                               and older.type = looked.type and older.priority = looked.priority
                               and older.alone = looked.alone and older.drained is null
                               and (older.opened_at, older.lane_id)
                                   < (looked.opened_at, looked.lane_id))))
             and not exists (
                   select from ready
                    where ready.lane_id = looked.lane_id and ready.seq >= looked.floor)),
         1000 + count(*) filter (where looked.drained is null)
              - count(*) filter (where looked.drained is not null)
    into v_lanes, v_close, v_room
    from (select lane.* from lane
           where lane.lane_id > p_state.slice order by lane.lane_id limit p_size) looked;

  delete from lane
   where lane.ctid = any (array(
     select useless.ctid from lane useless
      where useless.lane_id = any (v_lanes) and useless.drained + 1 < p_state.oldest
        and useless.drained < p_state.n
        and not exists (
              select from unnest(p_state.passed_from, p_state.passed_to) passed(from_n, to_n)
               where useless.drained > passed.from_n and useless.drained < passed.to_n)
        and not exists (
              select from ready
               where ready.lane_id = useless.lane_id and ready.seq >= useless.floor)
        and not exists (select from renewal where renewal.lane_id = useless.lane_id)
        for update skip locked));
  get diagnostics deleted = row_count;
  update lane set drained = p_state.n
   where lane.ctid = any (array(
     select idle.ctid from lane idle
      where idle.lane_id = any (v_close)
      limit greatest(0, v_room + deleted) for update skip locked));
  get diagnostics closed = row_count;
  p_state.slice := case when cardinality(v_lanes) = p_size then v_lanes[p_size]
                        else -9223372036854775808 end;
end
$$;

comment on function fairclaim_internal.close_lanes(fairclaim_internal.tick_state, int) is
'Closes lanes that ran empty and deletes those that no transaction can use any more.';
