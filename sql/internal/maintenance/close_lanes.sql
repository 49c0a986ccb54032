-- A slice of lanes. Deleted: lanes drained at tick d, once everybody who was first seen by the tick after d or before has ended (so nobody can
-- still insert), that are empty in a later snapshot and have nothing to renew; not those that a tick closed which was passed and has not been
-- freed (see take_guard). Closed to dispatch: empty ones that are own and old enough, or shared and unused for an hour, or shared
-- and not the oldest open one of their key; in a slice at most 1,000 more than stay open, or under a transaction that stays open for long
-- drained lanes would pile up. Weights are copied here. Locks lanes, and passes over locked ones: a tick that was passed may hold them.
create or replace function fairclaim_internal.close_lanes(inout p_state fairclaim_internal.tick_state, p_size int, out closed int, out deleted int)
language plpgsql
as $$
declare
  v_lanes bigint[];
  v_close bigint[];
  v_weigh bigint[];
  v_room bigint;
  v_delay interval := (select s.close_delay from setting s);
begin
  select array_agg(z.lane_id), array_agg(z.lane_id) filter (where z.drained is null
             and (z.tenant_id is not null and z.opened_at < p_state.at - v_delay
                  or z.tenant_id is null and (z.used_at < p_state.at - interval '1 hour' or exists (
                       select from lane o
                        where o.tenant_id is null and o.queue = z.queue and o.type = z.type and o.priority = z.priority and o.alone = z.alone and o.drained is null
                          and (o.opened_at, o.lane_id) < (z.opened_at, z.lane_id))))
             and not exists (select from ready y where y.lane_id = z.lane_id and y.seq >= z.floor)),
         array_agg(z.lane_id) filter (where z.tenant_id is not null
             and z.weight <> coalesce((select t.weight from tenant t where t.tenant_id = z.tenant_id), 1)),
         1000 + count(*) filter (where z.drained is null) - count(*) filter (where z.drained is not null)
    into v_lanes, v_close, v_weigh, v_room
    from (select l.* from lane l where l.lane_id > p_state.slice order by l.lane_id limit p_size) z;

  delete from lane l
   where l.ctid = any (array(
     select z.ctid from lane z
      where z.lane_id = any (v_lanes) and z.drained + 1 < p_state.oldest and z.drained < p_state.n
        and not exists (select from unnest(p_state.passed_from, p_state.passed_to) u(a, b) where z.drained > u.a and z.drained < u.b)
        and not exists (select from ready y where y.lane_id = z.lane_id and y.seq >= z.floor)
        and not exists (select from renewal x where x.lane_id = z.lane_id)
        for update skip locked));
  get diagnostics deleted = row_count;
  update lane l set drained = p_state.n
   where l.ctid = any (array(
     select z.ctid from lane z where z.lane_id = any (v_close) limit greatest(0, v_room + deleted) for update skip locked));
  get diagnostics closed = row_count;
  if v_weigh is not null then
    update lane l
       set weight = coalesce((select t.weight from tenant t where t.tenant_id = l.tenant_id), 1)
     where l.ctid = any (array(select z.ctid from lane z where z.lane_id = any (v_weigh) for update skip locked));
  end if;
  p_state.slice := case when cardinality(v_lanes) = p_size then v_lanes[p_size] else -9223372036854775808 end;
end
$$;

comment on function fairclaim_internal.close_lanes(fairclaim_internal.tick_state, int) is
'Closes lanes that ran empty and deletes those that nobody can use any more.';
