-- Cuts quanta to the room under the tenants' limits. First the limit rows of tenants with work and
-- room are locked (at most p_limit, in tenant order, skip locked); then, in a new statement with a
-- new snapshot, their running jobs are counted, and with them what this call has taken already. A
-- limit that tick has not activated yet gives no room.
create or replace function fairclaim_internal.room_under_limits(
  p_queue text,
  p_types text[],
  p_turns bigint[],
  p_tenants uuid[],
  p_quanta int[],
  p_limit int,
  p_taken fairclaim_internal.ready[]
) returns int[]
language plpgsql
as $$
declare
  v_locked uuid[];
  v_taken uuid[] := array(select taken.tenant_id from unnest(p_taken) taken);
  v_quanta int[];
begin
  select array_agg(got.tenant_id) into v_locked
    from (select tenant_limit.tenant_id from tenant_limit
           where tenant_limit.tenant_id = any (array(
             select visit.tenant_id
               from unnest(p_tenants, p_turns) with ordinality visit(tenant_id, turn, ordinal)
               join tenant_limit bound on bound.tenant_id = visit.tenant_id and bound.active
              where (select count(*) from running
                      where running.limited and running.tenant_id = visit.tenant_id)
                    < bound.max_running
                and exists (select from lane
                             cross join lateral (
                               select from ready
                                where ready.lane_id = lane.lane_id and ready.seq >= lane.floor
                                limit 1) waiting
                             where lane.tenant_id is not null and lane.queue = p_queue
                               and lane.turn = visit.turn
                               and (p_types is null or lane.type = any (p_types)))
              order by visit.ordinal limit p_limit))
           order by tenant_limit.tenant_id for update skip locked) got;
  select array_agg(case when bound.max_running is null then visit.quantum
                        when visit.tenant_id = any (v_locked) and bound.active then
                          greatest(0, least(visit.quantum, bound.max_running - held.jobs
                            - coalesce(cardinality(array_positions(v_taken, visit.tenant_id)), 0)))
                        else 0 end order by visit.ordinal)
    into v_quanta
    from unnest(p_tenants, p_quanta) with ordinality visit(tenant_id, quantum, ordinal)
    left join tenant_limit bound on bound.tenant_id = visit.tenant_id
    left join lateral (
      select count(*)::int as jobs from running
       where running.limited and running.tenant_id = visit.tenant_id
         and bound.tenant_id is not null) held on true;
  return v_quanta;
end
$$;

comment on function fairclaim_internal.room_under_limits(text, text[], bigint[], uuid[], int[],
    int, fairclaim_internal.ready[]) is
'How many jobs each tenant may give under its limit of running jobs.';
