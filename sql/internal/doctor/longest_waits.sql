-- What waits longest, by queue and type. Bounded: at most 200 pairs, hopped to through the two
-- indexes of lanes, and of each at most 20 lanes, of which the first row is read. Lanes of limited
-- tenants are left out: they wait for their limit. So are jobs that run alone: findings_of_suspects
-- has them.
create or replace function fairclaim_internal.longest_waits()
returns table (queue text, type text, paused boolean, runs boolean, waits float8)
language sql volatile
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
as $$
  with recursive own(queue, type) as (
    (select lane.queue, lane.type from lane where lane.tenant_id is not null
      order by lane.queue, lane.type limit 1)
    union all
    select next.queue, next.type
      from own
     cross join lateral (
       select lane.queue, lane.type from lane
        where lane.tenant_id is not null and (lane.queue, lane.type) > (own.queue, own.type)
        order by lane.queue, lane.type limit 1) next),
  shared(queue, type) as (
    (select lane.queue, lane.type from lane where lane.tenant_id is null and not lane.alone
      order by lane.queue, lane.type limit 1)
    union all
    select next.queue, next.type
      from shared
     cross join lateral (
       select lane.queue, lane.type from lane
        where lane.tenant_id is null and not lane.alone
          and (lane.queue, lane.type) > (shared.queue, shared.type)
        order by lane.queue, lane.type limit 1) next),
  pair as materialized (
    select first_own.queue, first_own.type from (select * from own limit 100) first_own
    union
    select first_shared.queue, first_shared.type
      from (select * from shared limit 100) first_shared),
  lanes as materialized (
    select pair.queue, pair.type, some_lanes.lane_id, some_lanes.floor
      from pair
     cross join lateral (
       (select lane.lane_id, lane.floor from lane
         where lane.queue = pair.queue and lane.type = pair.type
           and lane.tenant_id is null and not lane.alone
         order by lane.lane_id limit 5)
       union all
       (select lane.lane_id, lane.floor from lane
         where lane.queue = pair.queue and lane.type = pair.type and lane.tenant_id is not null
           and not exists (
                 select from running_limit bound
                  where bound.tenant_id = lane.tenant_id and bound.subject = 'tenant')
         order by lane.turn limit 15)) some_lanes),
  oldest as materialized (
    select lanes.queue, lanes.type, min(greatest(known.created_at, known.run_at)) as since
      from lanes
     cross join lateral (
       select ready.id, ready.tenant_id from ready
        where ready.lane_id = lanes.lane_id and ready.seq >= lanes.floor
        order by ready.lane_id, ready.seq limit 1) first
     cross join lateral (
       select job.created_at, job.run_at from job
        where job.tenant_id = first.tenant_id and job.id = first.id offset 0) known
     group by lanes.queue, lanes.type),
  runs as materialized (
    select distinct known.queue, known.type
      from (select running.id, running.tenant_id from running limit 2000) held
     cross join lateral (
       select job.queue, job.type from job
        where job.tenant_id = held.tenant_id and job.id = held.id offset 0) known)
  select oldest.queue, oldest.type,
         exists (select from queue
                  where queue.name = oldest.queue and queue.paused_at is not null),
         exists (select from runs where runs.queue = oldest.queue and runs.type = oldest.type),
         date_part('epoch', fairclaim.clock() - oldest.since)
    from oldest order by oldest.since limit 100
$$;

comment on function fairclaim_internal.longest_waits() is
'Gives the queues and types in which jobs wait, those that wait longest first: for how many seconds the oldest job seen has been due, whether the queue is paused, and whether any job of the type runs. A sample that looks at a bounded number of lanes.';
