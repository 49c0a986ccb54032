-- One row into `ready`: through the open own lane of its key; else, if the tenant is light, through the shared lane; else
-- through a new lane. Each statement chooses and inserts (I3). The own lane comes in a statement of its own, so that a tenant
-- with a backlog does not pay for the second look. Light: fewer than 8 rows of the tenant wait in that shared lane.
create or replace function fairclaim.into_lane(
  p_id uuid,
  p_tenant_id uuid,
  p_queue text,
  p_type text,
  p_priority int,
  p_attempts_left int
) returns void
language plpgsql
as $$
declare
  v_turn bigint := uuid_hash_extended(p_tenant_id, hashtextextended(p_queue collate "C", 0));
  v_own xid8 := case when current_setting('transaction_isolation') <> 'read committed' then pg_current_xact_id() end;
  v_light boolean;
  v_now timestamptz;
begin
  insert into fairclaim.ready (lane_id, id, tenant_id, attempts, attempts_left, lost)
  select l.lane_id, p_id, p_tenant_id, 0, p_attempts_left, 0
    from fairclaim.lane l
   where l.queue = p_queue and l.type = p_type and l.turn = v_turn and l.priority = p_priority
     and l.tenant_id = p_tenant_id and l.drained is null and (v_own is null or l.opened_by = v_own)
   limit 1;
  if found then
    return;
  end if;

  if p_priority = 0 and v_own is null then
    insert into fairclaim.ready (lane_id, id, tenant_id, attempts, attempts_left, lost)
    select l.lane_id, p_id, p_tenant_id, 0, p_attempts_left, 0
      from fairclaim.lane l
     where l.tenant_id is null and l.queue = p_queue and l.type = p_type and l.drained is null
       and not exists (select from fairclaim.tenant_limit b where b.tenant_id = p_tenant_id)
       and (select count(*) from (
              select from fairclaim.ready y
               where y.tenant_id = p_tenant_id and y.lane_id = l.lane_id
                 and y.id >= (select fairclaim.id_at(s.last_value) from fairclaim.shared_since s)
               limit 8) z) < 8
     order by l.queue, l.type, l.lane_id
     limit 1;
    if found then
      return;
    end if;
    v_light := not exists (select from fairclaim.tenant_limit b where b.tenant_id = p_tenant_id)
           and not exists (select from fairclaim.lane l
                            where l.tenant_id is null and l.queue = p_queue and l.type = p_type and l.drained is null);
  end if;

  v_now := fairclaim.clock();
  with l as (
    insert into fairclaim.lane (turn, floor, opened_at, used_at, tenant_id, weight, priority, queue, type)
    select case when v_light then 0 else v_turn end, 0, v_now, v_now, case when v_light then null else p_tenant_id end,
           coalesce((select t.weight from fairclaim.tenant t where t.tenant_id = p_tenant_id and v_light is not true), 1),
           p_priority, p_queue, p_type
    returning lane_id)
  insert into fairclaim.ready (lane_id, id, tenant_id, attempts, attempts_left, lost)
  select l.lane_id, p_id, p_tenant_id, 0, p_attempts_left, 0 from l;
end
$$;

comment on function fairclaim.into_lane(uuid, uuid, text, text, int, int) is
'Puts one new job into the lane where it waits, and makes the lane if there is none it may use.';
