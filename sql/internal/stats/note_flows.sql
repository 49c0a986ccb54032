-- What happened since the last refresh, added to the rows of `stat` of each queue and of each
-- tenant in it.
--
-- Nobody writes down when an attempt begins, since a claim has no time to spare. What is known: a
-- job that this refresh sees running and the last one did not see began between the two, and in
-- the middle between them is assumed. A job that ended and was never seen running began after the
-- last refresh; its run is assumed to have been as long as the queue's mean (running jobs by ended
-- jobs, Little's law), and not longer than there was time. So no wait and no run is wrong by more
-- than the time between two refreshes, 5 s while jobs run. The seconds of service are the running
-- jobs of two refreshes, times the time between them.
--
-- Claims are the attempts that ended and by how much the number of running jobs grew; a claim that
-- was given back or snoozed is not among them.
--
-- Rows of `running` and of the three big tables are only read. A look at a job goes by its key
-- (offset 0).
create or replace function fairclaim_internal.note_flows(
  p_now timestamptz,
  p_prev timestamptz,
  p_gap float8,                               -- the seconds since then; 0 where they are unknown
  p_mask int,
  p_mask_before int,
  out queues text[],                          -- what changed
  out tenants uuid[]
)
language plpgsql
as $$
declare
  v_minute bigint := floor(extract(epoch from p_now) / 60);
  v_hour bigint := floor(extract(epoch from p_now) / 3600);
begin
  with
  before as materialized (select * from seen_running),
  held as materialized (
    select running.id, running.tenant_id, running.attempt from running
     where uuid_hash(running.id) & p_mask = 0 limit 2000),
  fresh as materialized (
    select held.id, held.attempt, held.tenant_id, known.queue, known.due,
           case when p_gap > 0 and uuid_hash(held.id) & p_mask_before = 0
                then known.began + (p_now - known.began) / 2 end as began
      from held
     cross join lateral (
       select job.queue, greatest(job.created_at, job.run_at) as due,
              greatest(job.created_at, job.run_at, p_prev) as began
         from job where job.tenant_id = held.tenant_id and job.id = held.id offset 0) known
     where not exists (
             select from before where before.id = held.id and before.attempt = held.attempt)),
  gone as (
    delete from seen_running
     where seen_running.ctid = any (array(
       select past.ctid from seen_running past
        where (past.id, past.attempt) not in (select held.id, held.attempt from held)
          for update skip locked))),
  added as (
    insert into seen_running (id, attempt, tenant_id, queue, due, began)
    select fresh.id, fresh.attempt, fresh.tenant_id, fresh.queue, fresh.due, fresh.began
      from fresh
        on conflict do nothing),
  ended as materialized (
    select past.*, known.queue, known.due,
           case when before.id is not null then past.at - before.began
                when p_gap > 0 and past.at >= p_prev and uuid_hash(past.id) & p_mask_before = 0
                then least(past.at - greatest(known.due, p_prev),
                           make_interval(secs => queue_mean(known.queue, p_now))) end as run
      from read_tail('finished', p_prev, p_now) past
     cross join lateral (
       select job.queue, greatest(job.created_at, job.run_at) as due
         from job where job.tenant_id = past.tenant_id and job.id = past.id offset 0) known
      left join before on before.id = past.id and before.attempt = past.attempts),
  event as materialized (
    select job.queue, made.tenant_id, made.at, made.weight as dispatched, 0::float8 as claimed,
           0::float8 as finished, 0::float8 as failed, 0::float8 as seconds,
           null::interval as wait, null::interval as run, 0 as running
      from read_tail('job', p_prev, p_now) made
     cross join lateral (
       select job.queue from job
        where job.tenant_id = made.tenant_id and job.id = made.id offset 0) job
    union all
    select ended.queue, ended.tenant_id, ended.at, 0, ended.weight * ended.ran::int, ended.weight,
           ended.weight * (ended.status = 'failed')::int, 0,
           case when ended.attempts = 1 then ended.at - ended.run - ended.due end, ended.run, 0
      from ended
    union all
    select job.queue, past.tenant_id, past.at, 0, past.weight, 0, 0, 0, null, null, 0
      from read_tail('attempt_error', p_prev, p_now) past
     cross join lateral (
       select job.queue from job
        where job.tenant_id = past.tenant_id and job.id = past.id offset 0) job
     where not exists (                       -- of the last attempt `finished` has told already
             select from finished
              where finished.id = past.id and finished.tenant_id = past.tenant_id
                and finished.attempts = past.attempts offset 0)
    union all
    select before.queue, before.tenant_id, p_now, 0, - (p_mask_before + 1), 0, 0,
           p_gap / 2 * (p_mask_before + 1), null, null, 0
      from before
    union all
    select runs.queue, runs.tenant_id, p_now, 0, p_mask + 1, 0, 0, p_gap / 2 * (p_mask + 1), null,
           null, p_mask + 1
      from (select fresh.queue, fresh.tenant_id from fresh
            union all
            select before.queue, before.tenant_id
              from before join held on held.id = before.id and held.attempt = before.attempt) runs),
  placed as materialized (                    -- into the slots of both windows
    select event.queue, event.tenant_id, grouping(event.tenant_id) = 1 as whole, slot.place,
           array[sum(event.dispatched), sum(event.claimed), sum(event.finished), sum(event.failed),
                 sum(event.seconds)] as sums
      from event
     cross join lateral (values
       (v_minute - floor(extract(epoch from event.at) / 60)),
       (10 + v_hour - floor(extract(epoch from event.at) / 3600))) slot(place)
     where slot.place in (0, 1, 10, 11)
     group by grouping sets (
       (event.queue, event.tenant_id, slot.place), (event.queue, slot.place))),
  change as materialized (
    select event.queue, grouping(event.tenant_id) = 1 as whole,
           coalesce(event.tenant_id, '00000000-0000-0000-0000-000000000000') as tenant_id,
           sum(event.running)::int as running,
           (array_agg(extract(epoch from greatest(event.wait, interval '0'))::float4
                      order by event.at desc) filter (where event.wait is not null)) as waits,
           (array_agg(extract(epoch from greatest(event.run, interval '0'))::float4
                      order by event.at desc) filter (where event.run is not null)) as runs
      from event
     group by grouping sets ((event.queue, event.tenant_id), (event.queue))),
  kept as materialized (
    select change.queue, change.whole, change.tenant_id, known.stat_id, change.running,
           roll_window(known.minute, known.minute_slot, v_minute, sums.now, sums.before)
             as minute,
           roll_window(known.hour, known.hour_slot, v_hour, sums.hour_now, sums.hour_before)
             as hour,
           (coalesce(change.waits, '{}') || coalesce(known.waits, '{}'))
             [:case when change.whole then 256 else 32 end] as waits,
           (coalesce(change.runs, '{}') || coalesce(known.runs, '{}'))
             [:case when change.whole then 256 else 32 end] as runs
      from change
      left join lateral (
        select stat.* from stat
         where stat.queue = change.queue and stat.whole = change.whole
           and stat.tenant_id = change.tenant_id offset 0) known on true
     cross join lateral (
       select max(placed.sums) filter (where placed.place = 0) as now,
              max(placed.sums) filter (where placed.place = 1) as before,
              max(placed.sums) filter (where placed.place = 10) as hour_now,
              max(placed.sums) filter (where placed.place = 11) as hour_before
         from placed
        where placed.queue = change.queue and placed.whole = change.whole
          and (placed.whole or placed.tenant_id = change.tenant_id)) sums),
  changed as (
    update stat
       set running = kept.running, minute = kept.minute, hour = kept.hour, waits = kept.waits,
           runs = kept.runs, minute_slot = v_minute, hour_slot = v_hour, as_of = p_now
      from kept
     where stat.stat_id = kept.stat_id
       and stat.ctid = any (array(
             select open.ctid from stat open
              where open.stat_id = any (array(select kept.stat_id from kept))
                for update skip locked))),
  inserted as (
    insert into stat (
      queue, whole, tenant_id, running, minute, hour, waits, runs, minute_slot, hour_slot, as_of)
    select kept.queue, kept.whole, kept.tenant_id, kept.running, kept.minute, kept.hour,
           kept.waits, kept.runs, v_minute, v_hour, p_now
      from kept where kept.stat_id is null
        on conflict do nothing)
  select array_agg(kept.queue), array_agg(kept.tenant_id) into queues, tenants
    from kept where not kept.whole;
end
$$;

comment on function fairclaim_internal.note_flows(timestamptz, timestamptz, float8, int, int) is
'Adds what happened since the last refresh to the rows of stat. Returns of which queues and tenants.';
