-- One job that is to run alone, in a database with limits: the oldest of a tenant whose limits
-- leave room for one more. Looks at the 16 tenants whose jobs stand first among the 64 oldest of
-- each lane. Locks, for each until one is found, what room_under_limits locks, and last the job's
-- row (skip locked). p_taken: what this call took in other queues.
create or replace function fairclaim_internal.take_alone(
  p_queue text,
  p_lanes bigint[],
  p_floors bigint[],
  p_taken fairclaim_internal.ready[],
  out jobs fairclaim_internal.ready[]
)
language plpgsql
set enable_sort = on
as $$
declare
  v_tenants uuid[];
  v_tenant uuid;
begin
  select array_agg(oldest.tenant_id order by oldest.first_seq) into v_tenants
    from (select waiting.tenant_id, min(waiting.seq) as first_seq
            from unnest(p_lanes, p_floors) alone(lane_id, floor)
           cross join lateral (
             select ready.tenant_id, ready.seq from ready
              where ready.lane_id = alone.lane_id and ready.seq >= alone.floor
              order by ready.lane_id, ready.seq limit 64) waiting
           group by waiting.tenant_id order by 2 limit 16) oldest;
  foreach v_tenant in array coalesce(v_tenants, '{}') loop
    continue when (room_under_limits(p_queue, null, null, array[v_tenant], array[1], 1, p_taken,
      null))[1] < 1;
    with taken as materialized (
      select ready.ctid as place, ready as job from ready
       where ready.tenant_id = v_tenant and (ready.lane_id >> 32) < 0
         and array_position(p_lanes, ready.lane_id) is not null
       order by ready.seq limit 1 for update skip locked),
    gone as (
      delete from ready where ready.ctid = any (array(select taken.place from taken)))
    select array_agg(taken.job) into jobs from taken;
    exit when jobs is not null;
  end loop;
end
$$;

comment on function fairclaim_internal.take_alone(text, bigint[], bigint[],
    fairclaim_internal.ready[]) is
'Takes one job that is to run alone out of these lanes, under the limits of tenants.';
