-- What waits, is scheduled and runs is counted at the call, by list_queues; the rest is what the
-- last refresh noted.
create or replace function fairclaim.queue_stats(
  p_queue text default null,
  p_up_to int default 1000
) returns table (
  queue text, paused boolean, waiting int, tenants_waiting int, oldest_waiting float8,
  scheduled int, running int, at_least text[], limits jsonb,
  dispatched_1m float8, claimed_1m float8, finished_1m float8, failed_1m float8, seconds_1m float8,
  dispatched_1h float8, claimed_1h float8, finished_1h float8, failed_1h float8, seconds_1h float8,
  wait_p50 float8, wait_p99 float8, run_p50 float8, run_p99 float8, sampled int,
  backlogged_1m int, jain_claims_1m float8, jain_seconds_1m float8,
  backlogged_1h int, jain_claims_1h float8, jain_seconds_1h float8, age float8
)
language plpgsql stable security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set plan_cache_mode = force_custom_plan
as $$
#variable_conflict use_column
declare
  v_now timestamptz := fairclaim.clock();
begin
  return query
  with recursive
  noted(queue) as (
    (select stat.queue from stat order by stat.queue limit 1)
    union all
    select (select stat.queue from stat
             where stat.queue > noted.queue order by stat.queue limit 1)
      from noted where noted.queue is not null),
  live as materialized (select * from fairclaim.list_queues(p_up_to)),
  named as materialized (
    select live.queue from live
    union
    select noted.queue from noted where noted.queue is not null)
  select named.queue, live.paused_at is not null, coalesce(live.waiting, 0),
         coalesce(live.tenants_waiting, 0),
         extract(epoch from v_now - live.oldest_waiting_at)::float8,
         coalesce(live.scheduled, 0), coalesce(live.running, 0), coalesce(live.at_least, '{}'),
         told_limits('00000000-0000-0000-0000-000000000000', named.queue, v_now),
         told.dispatched_1m, told.claimed_1m, told.finished_1m, told.failed_1m, told.seconds_1m,
         told.dispatched_1h, told.claimed_1h, told.finished_1h, told.failed_1h, told.seconds_1h,
         told.wait_p50, told.wait_p99, told.run_p50, told.run_p99, told.sampled,
         minute.tenants, minute.by_claims, minute.by_seconds,
         hour.tenants, hour.by_claims, hour.by_seconds, told.age
    from named
    left join live on live.queue = named.queue
    left join stat on stat.queue = named.queue and stat.whole
     and stat.tenant_id = '00000000-0000-0000-0000-000000000000'
   cross join lateral flows(stat, v_now) told
   cross join lateral service_shares(named.queue, 60, v_now) minute
   cross join lateral service_shares(named.queue, 3600, v_now) hour
   where p_queue is null or named.queue = p_queue
   order by named.queue;
end
$$;

comment on function fairclaim.queue_stats(text, int) is
'What queues have waiting, running and done, a row for each that is in use, paused, or was in use in the last two hours, for operators and observers. p_queue: only this one. p_up_to: as of list_queues, which counts what waits, is scheduled and runs, at the call; at_least names the columns that are lower bounds. limits: those of the queue, as in tenant_stats.
The other columns are as in tenant_stats, over all tenants of the queue; samples are of at most 256 jobs.
backlogged_: how many tenants had a backlog for the whole last minute, and hour. jain_claims_, jain_seconds_: Jain''s index of what they got by their weights, claims and seconds of service: 1 when all got the same for their weight, 1/n when one of n got everything; null when there is none, or none got anything. age: the seconds since the last refresh that told of this queue. Errors: JQ004.';

grant execute on function fairclaim.queue_stats(text, int)
  to fairclaim_operator, fairclaim_observer;
