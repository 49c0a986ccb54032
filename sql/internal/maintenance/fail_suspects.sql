-- Fails jobs as lost whose workers died twice, and that no worker has taken to run alone within
-- setting.suspect_wait: clients that know nothing of suspects leave them here. The time is what
-- ticks have seen of them: `suspect` has the 1,000 oldest, less those that may not be taken now
-- (their queue is paused, or the limit of their tenant is 0). Where no tick looked for five minutes
-- no worker ran, so all of them begin again. Nearly always there is no such lane, and two looks say
-- so.
--
-- Locks: rows of suspect, then of ready (skip locked), then what job_ended locks: a job that is
-- being taken is left to its worker.
create or replace function fairclaim_internal.fail_suspects(
  p_now timestamptz,
  p_size int,
  p_skip uuid[]
) returns int
language plpgsql
as $$
declare
  v_ms bigint := millis(p_now);
  v_seen boolean := coalesce(pg_sequence_last_value('suspects_at'), 0)
                    between v_ms - 300000 and v_ms;
  v_failed int;
  v_watched uuid[];
begin
  if not exists (select from lane where lane.alone) and not exists (select from suspect) then
    return 0;
  end if;
  perform setval('suspects_at', greatest(0, v_ms));
  with late as materialized (
    select waiting.place
      from (select distinct suspect.id, suspect.tenant_id, suspect.attempts from suspect
             where v_seen and suspect.id <> all (p_skip)
               and suspect.seen_at < p_now - (select setting.suspect_wait from setting)
             limit p_size) seen
     cross join lateral (
       select ready.ctid as place from ready
        where ready.tenant_id = seen.tenant_id and (ready.lane_id >> 32) < 0
          and ready.id = seen.id and ready.attempts = seen.attempts and ready.lost >= 2
          for update skip locked) waiting),
  gone as (
    delete from ready where ready.ctid = any (array(select late.place from late))
    returning ready.id, ready.tenant_id, ready.attempts, ready.watched),
  final as (
    insert into finished (id, tenant_id, completed_at, attempts, status, worker_id, result, error)
    select gone.id, gone.tenant_id, p_now, gone.attempts, 'failed', null, null,
           '{"code": "lost",
             "message": "two workers died while they ran it, and no worker ran it alone in time"}'
      from gone)
  select count(*), array_agg(gone.id) filter (where gone.watched) into v_failed, v_watched
    from gone;
  if v_watched is not null and job_ended(v_watched) is not null then
    perform wake(p_now);
  end if;

  with waiting as materialized (
    select job.id, job.tenant_id, job.attempts
      from (select lane.lane_id, lane.floor, lane.queue from lane
             where lane.alone
               and not exists (select from queue
                                where queue.name = lane.queue and queue.paused_at is not null)
             order by lane.queue, lane.type, lane.lane_id limit 1000) alone
     cross join lateral (
       select ready.id, ready.tenant_id, ready.attempts from ready
        where ready.lane_id = alone.lane_id and ready.seq >= alone.floor
          and not exists (
                select from running_limit bound
                 where bound.tenant_id = ready.tenant_id and bound.subject = 'tenant'
                   and bound.queue in ('', alone.queue) and bound.max_running = 0)
        order by ready.lane_id, ready.seq limit 1000) job
     limit 1000),
  forgotten as (
    delete from suspect
     where suspect.ctid = any (array(
       select noted.ctid from suspect noted
        where not v_seen
           or not exists (select from waiting
                           where waiting.id = noted.id and waiting.attempts = noted.attempts)
          for update skip locked)))
  insert into suspect (id, tenant_id, attempts, seen_at)
  select waiting.id, waiting.tenant_id, waiting.attempts, p_now from waiting
   where not v_seen
      or not exists (select from suspect noted
                      where noted.id = waiting.id and noted.attempts = waiting.attempts);
  return v_failed;
end
$$;

comment on function fairclaim_internal.fail_suspects(timestamptz, int, uuid[]) is
'Fails jobs whose workers died twice and that no worker has taken for as long as setting.suspect_wait says; returns how many.';
