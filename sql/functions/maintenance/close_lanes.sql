-- A slice of 2,000 lanes. Deleted: lanes drained at tick d, once everybody first seen at tick d + 1 or before has ended (so nobody can
-- still insert), that are empty in a later snapshot and have nothing to renew. Closed to dispatch: empty ones that are own and
-- old enough, or shared and unused for an hour, or shared and not the oldest open one of their key; but none while a
-- transaction older than three ticks is open, or drained lanes would pile up. Weights are copied here.
create or replace function fairclaim.close_lanes(
  inout p_state fairclaim.tick_state,
  p_oldest bigint,
  p_now timestamptz,
  out closed int,
  out deleted int
)
language plpgsql
as $$
declare
  v_lanes bigint[];
  v_close bigint[];
  v_weigh bigint[];
  v_delay interval := (select s.close_delay from fairclaim.setting s);
begin
  select array_agg(z.lane_id), array_agg(z.lane_id) filter (where z.drained is null
             and (z.tenant_id is not null and z.opened_at < p_now - v_delay
                  or z.tenant_id is null and (z.used_at < p_now - interval '1 hour' or exists (
                       select from fairclaim.lane o
                        where o.tenant_id is null and o.queue = z.queue and o.type = z.type and o.drained is null
                          and o.lane_id < z.lane_id)))
             and not exists (select from fairclaim.ready y where y.lane_id = z.lane_id and y.seq >= z.floor)),
         array_agg(z.lane_id) filter (where z.tenant_id is not null
             and z.weight <> coalesce((select t.weight from fairclaim.tenant t where t.tenant_id = z.tenant_id), 1))
    into v_lanes, v_close, v_weigh
    from (select l.* from fairclaim.lane l where l.lane_id > p_state.slice order by l.lane_id limit 2000) z;

  delete from fairclaim.lane l
   where l.lane_id = any (v_lanes) and l.drained + 1 < p_oldest and l.drained < p_state.n
     and not exists (select from fairclaim.ready y where y.lane_id = l.lane_id and y.seq >= l.floor)
     and not exists (select from fairclaim.renewal x where x.lane_id = l.lane_id);
  get diagnostics deleted = row_count;

  closed := 0;
  if p_oldest >= p_state.n - 3 and v_close is not null then
    update fairclaim.lane l set drained = p_state.n where l.lane_id = any (v_close);
    get diagnostics closed = row_count;
  end if;
  if v_weigh is not null then
    update fairclaim.lane l
       set weight = coalesce((select t.weight from fairclaim.tenant t where t.tenant_id = l.tenant_id), 1)
     where l.lane_id = any (v_weigh);
  end if;
  p_state.slice := case when cardinality(v_lanes) = 2000 then v_lanes[2000] else 0 end;
end
$$;

comment on function fairclaim.close_lanes(fairclaim.tick_state, bigint, timestamptz) is
'Closes lanes that ran empty and deletes those that nobody can use any more.';
