-- As job_queue without payload, result and error: a role without a column cannot read a view that names it at all.
create or replace view fairclaim.job_overview with (security_invoker = true) as
select j.id, j.tenant_id, j.type,
       coalesce(f.status, case when r.id is not null then 'processing' when s.id is not null then 'scheduled' else 'pending' end) as status,
       coalesce(f.worker_id, r.worker_id) as worker_id,
       coalesce(f.attempts, r.attempt, s.attempts, y.attempts, 0)::int as attempts,
       s.run_at as next_retry_at, j.created_at, f.completed_at,
       j.queue, j.priority::int as priority, j.max_attempts::int as max_attempts, date_part('epoch', j.timeout) as timeout, j.tags,
       coalesce(r.attempts_left, s.attempts_left, y.attempts_left)::int as attempts_left
  from fairclaim_internal.job j
  left join fairclaim_internal.finished f on f.id = j.id and f.tenant_id = j.tenant_id
  left join fairclaim_internal.running r on r.id = j.id
  left join fairclaim_internal.scheduled s on s.id = j.id
  left join lateral (            -- what waits stands in an own lane (group 0) or in a shared one of its queue's group
    select y.attempts, y.attempts_left
      from fairclaim_internal.ready y
     where y.tenant_id = j.tenant_id and (y.lane_id >> 32) = any (array[0, -1 - (hashtextextended(j.queue, 0) & 1073741823)]) and y.id = j.id
       and f.id is null and r.id is null and s.id is null
     limit 1) y on true;

comment on view fairclaim.job_overview is
'Every job with its status, without payload, result and error texts. Row security decides which rows a role sees.';
