-- Bounded, and without a counter on the hot path. It reads per queue at most p_up_to lanes and
-- p_up_to waiting rows, from the floors of the lanes on; in all at most p_up_to running and p_up_to
-- scheduled rows, each with a look at its job. The names come from hops through the indexes of
-- lanes, from the queues that are paused, drained or fair by seconds, and from those rows. What
-- ended is not counted: `finished` grows with history and has no queue. Plans are pinned to looks
-- by index, whatever the statistics say.
create or replace function fairclaim.list_queues(p_up_to int default 10000) returns table (
  queue text, paused_at timestamptz, waiting int, tenants_waiting int,
  oldest_waiting_at timestamptz, scheduled int, running int, at_least text[],
  drained_at timestamptz,
  fair_by text
)
language plpgsql stable security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set plan_cache_mode = force_custom_plan
as $$
#variable_conflict use_column
declare
  v_running jsonb;                            -- how many by queue
  v_scheduled jsonb;
  v_more text[];
  v_none uuid := '00000000-0000-0000-0000-000000000000';
begin
  if p_up_to is null or p_up_to not between 1 and 100000 then
    perform refuse('JQ004', 'p_up_to', 'must be from 1 to 100,000',
      p_detail => '{"minimum": 1, "maximum": 100000}');
  end if;
  v_more := array_remove(array[
    case when (select count(*) > p_up_to
                 from (select from scheduled limit p_up_to + 1) counted) then 'scheduled' end,
    case when (select count(*) > p_up_to
                 from (select from running limit p_up_to + 1) counted) then 'running' end], null);
  select coalesce(jsonb_object_agg(counted.queue, counted.jobs), '{}') into v_running
    from (select known.queue, count(*) as jobs
            from (select running.id, running.tenant_id from running limit p_up_to) held
           cross join lateral (
             select job.queue from job
              where job.tenant_id = held.tenant_id and job.id = held.id offset 0) known
           group by known.queue) counted;
  select coalesce(jsonb_object_agg(counted.queue, counted.jobs), '{}') into v_scheduled
    from (select known.queue, count(*) as jobs
            from (select scheduled.id, scheduled.tenant_id from scheduled limit p_up_to) later
           cross join lateral (
             select job.queue from job
              where job.tenant_id = later.tenant_id and job.id = later.id offset 0) known
           group by known.queue) counted;
  return query
  with used(name) as materialized (
    select unnest(open_queues(null))
    union
    select queue.name from queue where queue.paused_at is not null or queue.fair_by <> 'claims'
    union
    select drain.queue from waiting_limit drain
     where drain.subject = 'drain' and drain.tenant_id = v_none
    union
    select jsonb_object_keys(v_running)
    union
    select jsonb_object_keys(v_scheduled))
  select used.name, (select queue.paused_at from queue where queue.name = used.name),
         least(waits.jobs, p_up_to)::int, waits.tenants::int, heads.created_at,
         coalesce((v_scheduled ->> used.name)::int, 0),
         coalesce((v_running ->> used.name)::int, 0),
         case when waits.jobs > p_up_to or heads.lanes > p_up_to
              then array['waiting', 'tenants_waiting'] else '{}' end || v_more,
         (select drain.drained_at from waiting_limit drain
           where drain.subject = 'drain' and drain.tenant_id = v_none
             and drain.queue = used.name),
         coalesce((select queue.fair_by from queue where queue.name = used.name), 'claims')
    from used
   cross join lateral (
     select array_agg(either.lane_id) as lane_ids, array_agg(either.floor) as floors
       from ((select lane.lane_id, lane.floor from lane
               where lane.tenant_id is null and lane.queue = used.name)
             union all
             (select lane.lane_id, lane.floor from lane
               where lane.tenant_id is not null and lane.queue = used.name)
             limit p_up_to + 1) either) lanes
   cross join lateral (
     select count(*) as jobs, count(distinct counted.tenant_id) as tenants
       from (select waiting.tenant_id
               from unnest(lanes.lane_ids, lanes.floors) place(lane_id, floor)
              cross join lateral (
                select ready.tenant_id from ready
                 where ready.lane_id = place.lane_id and ready.seq >= place.floor
                 order by ready.lane_id, ready.seq limit p_up_to + 1) waiting
              limit p_up_to + 1) counted) waits
   -- the oldest of the jobs that are first in their lanes
   cross join lateral (
     select count(*) as lanes, min(known.created_at) as created_at
       from unnest(lanes.lane_ids, lanes.floors) place(lane_id, floor)
       left join lateral (
         select ready.id, ready.tenant_id from ready
          where ready.lane_id = place.lane_id and ready.seq >= place.floor
          order by ready.lane_id, ready.seq limit 1) first on true
       left join lateral (
         select job.created_at from job
          where job.tenant_id = first.tenant_id and job.id = first.id offset 0) known on true) heads
   order by used.name;
end
$$;

comment on function fairclaim.list_queues(int) is
'The queues that are in use, paused, being drained or fair by seconds, by name, for operators: since when it is paused (null: it is not), how many jobs wait and of how many tenants, when the oldest of those first in line was dispatched, how many are scheduled (delayed, snoozed or to be retried) and running, and since when it is being drained (null: it is not), and whether tenants share it by claims or by seconds (set_queue_fair_by).
Counted to p_up_to (1 to 100,000): the waiting ones in each queue, the scheduled and the running ones in all; at_least names the columns that are lower bounds because of that. A call reads at most so many rows and lanes a queue, never what ended: count failed jobs with count_jobs.
A queue is in use while jobs wait, run or are scheduled in it, and for an hour after. Errors: JQ004.';

grant execute on function fairclaim.list_queues(int) to fairclaim_operator;
