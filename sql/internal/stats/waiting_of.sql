-- Through the tenant's own lanes, at most 100 of them, and the group of the queue's shared lanes;
-- never more than p_cap rows and one.
create or replace function fairclaim_internal.waiting_of(
  p_queue text,
  p_tenant_id uuid,
  p_cap int,
  out waiting int,
  out at_least boolean,
  out oldest_at timestamptz,
  out backlogged boolean
)
language plpgsql stable
as $$
declare
  v_lanes bigint[];
  v_floors bigint[];
  v_jobs bigint;
  v_own bigint;
begin
  select array_agg(own.lane_id), array_agg(own.floor) into v_lanes, v_floors
    from (select lane.lane_id, lane.floor from lane
           where lane.tenant_id = p_tenant_id and lane.queue = p_queue limit 100) own;
  v_own := (
    select count(*)
      from (select 1
              from unnest(v_lanes, v_floors) own(lane_id, floor)
             cross join lateral (
               select 1 from ready
                where ready.lane_id = own.lane_id and ready.seq >= own.floor
                order by ready.lane_id, ready.seq limit p_cap + 1) found
             limit p_cap + 1) counted);
  v_jobs := v_own + (
    select count(*)
      from (select 1 from ready
             where ready.tenant_id = p_tenant_id and (ready.lane_id >> 32) = lane_group(p_queue)
             limit p_cap + 1 - v_own) shared);
  waiting := least(v_jobs, p_cap);
  at_least := v_jobs > p_cap or coalesce(cardinality(v_lanes), 0) = 100;
  backlogged := v_own > 0;
  if waiting > 0 then
    oldest_at := (
      select min(known.since)
        from ((select first.id
                 from unnest(v_lanes[:20], v_floors[:20]) own(lane_id, floor)
                cross join lateral (
                  select ready.id from ready
                   where ready.lane_id = own.lane_id and ready.seq >= own.floor
                   order by ready.lane_id, ready.seq limit 1) first)
              union all
              (select ready.id from ready
                where ready.tenant_id = p_tenant_id and (ready.lane_id >> 32) = lane_group(p_queue)
                order by ready.tenant_id, (ready.lane_id >> 32), ready.id limit 1)) head
       cross join lateral (
         select greatest(job.created_at, job.run_at) as since from job
          where job.tenant_id = p_tenant_id and job.id = head.id offset 0) known);
  end if;
end
$$;

comment on function fairclaim_internal.waiting_of(text, uuid, int) is
'How many jobs of a tenant wait in a queue, up to p_cap; since when the oldest of those first in line; and whether any stands in an own lane.';
