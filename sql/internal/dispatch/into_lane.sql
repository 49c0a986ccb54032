-- Puts one new row into `ready`: through the open own lane of its key; else, if the tenant is
-- light, through the shared lane; else through a new lane. Each statement both chooses the lane and
-- inserts (I3). The own lane is looked for in a statement of its own, so that a tenant with a
-- backlog does not pay for the second look. A tenant is light while fewer than 8 of its rows wait
-- in the shared lanes of the queue together, whatever their types and priorities. They are counted
-- from a bound of age on, so that dead entries of the index are not walked. Called only in READ
-- COMMITTED.
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
  insert into ready (lane_id, id, tenant_id, attempts, attempts_left, lost, watched)
  select lane.lane_id, p_id, p_tenant_id, 0, p_attempts_left, 0, false
    from lane
   where lane.queue = p_queue and lane.type = p_type and lane.turn = v_turn
     and lane.priority = p_priority and lane.tenant_id = p_tenant_id and lane.drained is null
   limit 1;
  if found then
    return;
  end if;
  -- a variable, since only a value can be a condition of the index
  v_since := id_at(coalesce(pg_sequence_last_value('shared_since'), 0));
  insert into ready (lane_id, id, tenant_id, attempts, attempts_left, lost, watched)
  select lane.lane_id, p_id, p_tenant_id, 0, p_attempts_left, 0, false
    from lane
   where lane.tenant_id is null and not lane.alone and lane.queue = p_queue and lane.type = p_type
     and lane.priority = p_priority and lane.drained is null
     and not exists (
           select from at_limit
            where at_limit.is_stable and at_limit.tenant_id = p_tenant_id
              and at_limit.queue in ('', p_queue))
     and (select count(*) from (
            select from ready
             where ready.tenant_id = p_tenant_id and (ready.lane_id >> 32) = lane_group(p_queue)
               and ready.id >= v_since
             limit 8) shared) < 8
   order by lane.queue, lane.type, lane.priority, lane.lane_id
   limit 1;
  if not found then
    perform into_lanes(
      array[row (1, 1, p_id, p_tenant_id, 0, p_attempts_left, 0, false)::ready],
      array[p_queue], array[p_type], array[p_priority::smallint], v_since, true);
  end if;
end
$$;

comment on function fairclaim_internal.into_lane(uuid, uuid, text, text, int, int) is
'Puts one new job into the lane where it waits, and makes the lane if there is none it may use. Errors: JQ003 when the tenant has too many own lanes in the queue.';
