-- By tenant and queue, a page walks the key of `stat`, or the index by tenant. By a figure it reads
-- the rows of `stat` that match, one for each tenant that did something in the last two hours.
-- What waits is counted for the page, at most 50,000 rows in all, so that it is true in a database
-- in which nothing has happened since the last refresh. The rest is what the last refresh noted.
create or replace function fairclaim.tenant_stats(
  p_tenant_id uuid default null,
  p_queue text default null,
  p_limit int default 100,
  p_after text default null,
  p_sort text default 'tenant',
  p_search text default null
) returns table (
  tenant_id uuid, tenant text, queue text, weight int,
  waiting int, at_least boolean, oldest_waiting float8, backlogged boolean, running int,
  limits jsonb,
  dispatched_1m float8, claimed_1m float8, finished_1m float8, failed_1m float8, seconds_1m float8,
  dispatched_1h float8, claimed_1h float8, finished_1h float8, failed_1h float8, seconds_1h float8,
  wait_p50 float8, wait_p99 float8, run_p50 float8, run_p99 float8, sampled int,
  share_1m float8, fair_share_1m float8, share_1h float8, fair_share_1h float8,
  age float8, next text, more boolean
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
  v_after text[];
  v_ids bigint[];
  v_keys text[];
  v_shares jsonb;
  v_is_idle boolean := not exists (select from running);
begin
  v_after := check_stats(p_limit, p_after, p_sort, p_search);
  select page.ids, page.keys into v_ids, v_keys
    from stats_page(p_tenant_id, p_queue, p_limit + 1, v_after, p_sort, p_search, v_now) page;
  more := coalesce(cardinality(v_ids), 0) > p_limit;
  v_ids := v_ids[:p_limit];
  select jsonb_object_agg(used.queue, jsonb_build_object(
           'minute', service_shares(used.queue, 60, v_now),
           'hour', service_shares(used.queue, 3600, v_now)))
    into v_shares
    from (select distinct stat.queue from stat where stat.stat_id = any (v_ids)) used;
  return query
  select stat.tenant_id, tenant_label(stat.tenant_id), stat.queue,
         weight_of(stat.tenant_id, stat.queue)::int, counted.waiting, counted.at_least,
         extract(epoch from v_now - counted.oldest_at)::float8, counted.backlogged,
         case when v_is_idle then 0 else stat.running end,
         told_limits(stat.tenant_id, stat.queue, v_now),
         told.dispatched_1m, told.claimed_1m, told.finished_1m, told.failed_1m, told.seconds_1m,
         told.dispatched_1h, told.claimed_1h, told.finished_1h, told.failed_1h, told.seconds_1h,
         told.wait_p50, told.wait_p99, told.run_p50, told.run_p99, told.sampled,
         shares.part_1m, shares.fair_1m, shares.part_1h, shares.fair_1h, told.age,
         concat_ws('|', p_sort, v_keys[page.place], page.id), more
    from unnest(v_ids) with ordinality page(id, place)
    join stat on stat.stat_id = page.id
   cross join lateral waiting_of(stat.queue, stat.tenant_id,
     greatest(50, least(1000, 50000 / cardinality(v_ids)))) counted
   cross join lateral flows(stat, v_now) told
   cross join lateral (
     select case when stat.backlogged_since <= v_now - interval '1 minute' then
              told.claimed_1m
              / nullif((v_shares #>> array[stat.queue, 'minute', 'claims'])::float8, 0) end
              as part_1m,
            case when stat.backlogged_since <= v_now - interval '1 minute' then
              weight_of(stat.tenant_id, stat.queue)::int
              / (v_shares #>> array[stat.queue, 'minute', 'weights'])::float8 end as fair_1m,
            case when stat.backlogged_since <= v_now - interval '1 hour' then
              told.claimed_1h
              / nullif((v_shares #>> array[stat.queue, 'hour', 'claims'])::float8, 0) end
              as part_1h,
            case when stat.backlogged_since <= v_now - interval '1 hour' then
              weight_of(stat.tenant_id, stat.queue)::int
              / (v_shares #>> array[stat.queue, 'hour', 'weights'])::float8 end as fair_1h) shares
   order by page.place;
end
$$;

comment on function fairclaim.tenant_stats(uuid, text, int, text, text, text) is
'What tenants have waiting, running and done, a row for each tenant and queue, for operators and observers; no payloads. p_tenant_id, p_queue: only these. p_search: only tenants whose name has this text, upper or lower case, or whose id is it. p_sort: tenant (by queue and id), or by a figure, the largest first: waiting, oldest, running, dispatched, claimed, finished, failed, seconds (these of the last hour). p_limit 1 to 1,000; for the next page p_after is `next` of the last row, while `more`.
waiting: counted at the call, up to 50 to 1,000 a row; at_least: there are more. oldest_waiting: since how many seconds the oldest of those first in line waits. backlogged: it has jobs in an own lane. limits: what bounds its running jobs, a list of objects: kind (tenant, default, tenant_queue, default_queue, queue) with max_running and running, or with units, period (seconds), burst and due_in (seconds until a job may begin).
_1m, _1h: in the last minute and hour. claimed: attempts that ended and by how much the running jobs grew, without those given back or snoozed. finished: jobs that ended, failed among them. seconds: of service. wait_, run_: seconds from due to begun of first attempts, and of the runs, over the last `sampled` jobs (at most 32) that ended. No begin of an attempt is written down: what is told can be wrong by the 5 s between two refreshes, and is near the mean for short runs.
share_: its part of the claims of the tenants that had a backlog for the whole window, fair_share_: its part of their weights. null for the others.
age: the seconds since the row has changed; ticks refresh it every 5 s at most while there is something to do. Counts are of samples where more than 16 pages of jobs came in between; jobs of a transaction that stayed open across a refresh may be missed. Errors: JQ004.';

grant execute on function fairclaim.tenant_stats(uuid, text, int, text, text, text)
  to fairclaim_operator, fairclaim_observer;
