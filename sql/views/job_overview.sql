-- As job_queue without payload, result and error: a role that may not read a column cannot read a
-- view that names it at all.
create or replace view fairclaim.job_overview with (security_invoker = true) as
select job.id, job.tenant_id, job.type,
       coalesce(ended.status,
                case when held.id is not null then 'processing'
                     when later.id is not null then 'scheduled'
                     else 'pending' end) as status,
       coalesce(ended.worker_id, held.worker_id) as worker_id,
       coalesce(ended.attempts, held.attempt, later.attempts, waiting.attempts, behind.attempts,
                0)::int as attempts,
       later.run_at as next_retry_at, job.created_at, ended.completed_at, job.queue,
       job.priority::int as priority, job.max_attempts::int as max_attempts,
       date_part('epoch', job.timeout) as timeout, job.tags,
       coalesce(held.attempts_left, later.attempts_left, waiting.attempts_left,
                behind.attempts_left)::int
         as attempts_left
  from fairclaim_internal.job
  left join fairclaim_internal.finished ended
         on ended.id = job.id and ended.tenant_id = job.tenant_id
  left join fairclaim_internal.running held on held.id = job.id
  left join fairclaim_internal.scheduled later on later.id = job.id
  -- what waits stands in an own lane (group 0) or in a shared one of its queue's group; the
  -- expression of lane_group() is written out, since a reader of the view may not call it
  left join lateral (
    select ready.attempts, ready.attempts_left
      from fairclaim_internal.ready
     where ready.tenant_id = job.tenant_id and ready.id = job.id
       and (ready.lane_id >> 32)
           = any (array[0, -1 - (hashtextextended(job.queue, 0) & 1073741823)])
       and ended.id is null and held.id is null and later.id is null
     limit 1) waiting on true
  left join fairclaim_internal.held behind on job.key is not null and behind.id = job.id;

comment on view fairclaim.job_overview is
'Every job with its status, without payload, result and error texts. Row security decides which rows a role sees.';
