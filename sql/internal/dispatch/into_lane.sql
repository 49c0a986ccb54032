-- One new row into `ready`: through the open own lane of its key; else, if the tenant is light, through the shared lane; else through a
-- new lane. Each statement chooses and inserts (I3). The own lane comes in a statement of its own, so that a tenant with a backlog
-- does not pay for the second look. Light: fewer than 8 rows of the tenant wait in the shared lanes of the queue together, whatever
-- their types and priorities, counted from an age bound on, so that dead entries are not walked. Only in READ COMMITTED.
create or replace function fairclaim_internal.into_lane(
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
  v_since uuid;
begin
  insert into ready (lane_id, id, tenant_id, attempts, attempts_left, lost)
  select l.lane_id, p_id, p_tenant_id, 0, p_attempts_left, 0
    from lane l
   where l.queue = p_queue and l.type = p_type and l.turn = v_turn and l.priority = p_priority
     and l.tenant_id = p_tenant_id and l.drained is null
   limit 1;
  if found then
    return;
  end if;
  v_since := id_at(coalesce(pg_sequence_last_value('shared_since'), 0));      -- a condition for the index, so a value
  insert into ready (lane_id, id, tenant_id, attempts, attempts_left, lost)
  select l.lane_id, p_id, p_tenant_id, 0, p_attempts_left, 0
    from lane l
   where l.tenant_id is null and not l.alone and l.queue = p_queue and l.type = p_type and l.priority = p_priority and l.drained is null
     and not exists (select from tenant_limit b where b.tenant_id = p_tenant_id)
     and (select count(*) from (
            select from ready y
             where y.tenant_id = p_tenant_id and (y.lane_id >> 32) = lane_group(p_queue)
               and y.id >= v_since
             limit 8) z) < 8
   order by l.queue, l.type, l.priority, l.lane_id
   limit 1;
  if not found then
    perform into_lanes(array[row (1, 1, p_id, p_tenant_id, 0, p_attempts_left, 0)::ready],
      array[p_queue], array[p_type], array[p_priority::smallint], v_since, true);
  end if;
end
$$;

comment on function fairclaim_internal.into_lane(uuid, uuid, text, text, int, int) is
'Puts one new job into the lane where it waits, and makes the lane if there is none it may use. Errors: JQ003 when the tenant has too many own lanes in the queue.';
