-- As job_queue without payload, result and error: a role without a column cannot read a view that names it at all.
create or replace view fairclaim.job_overview with (security_invoker = true) as
select j.id, j.tenant_id, j.type,
       coalesce(f.status, case when r.id is not null then 'processing' when s.id is not null then 'scheduled' else 'pending' end) as status,
       coalesce(f.worker_id, r.worker_id) as worker_id,
       coalesce(f.attempts, r.attempt, s.attempts, y.attempts, 0)::int as attempts,
       s.run_at as next_retry_at, j.created_at, f.completed_at,
       j.queue, j.priority::int as priority, j.max_attempts::int as max_attempts, j.timeout, j.tags
  from fairclaim.job j
  left join fairclaim.finished f on f.id = j.id and f.tenant_id = j.tenant_id
  left join fairclaim.running r on r.id = j.id
  left join fairclaim.scheduled s on s.id = j.id
  left join lateral (            -- what waits stands in a lane of its key: a shared one, or one of its tenant's at its turn
    select y.attempts
      from (select l.lane_id from fairclaim.lane l
             where l.tenant_id is null and l.queue = j.queue and l.type = j.type
            union all
            select l.lane_id from fairclaim.lane l
             where l.tenant_id = j.tenant_id and l.queue = j.queue and l.type = j.type
               and l.turn = uuid_hash_extended(j.tenant_id, hashtextextended(j.queue, 0))) l
     cross join lateral (
       select y.attempts from fairclaim.ready y
        where y.tenant_id = j.tenant_id and y.lane_id = l.lane_id and y.id = j.id offset 0) y
     where f.id is null and r.id is null and s.id is null
     limit 1) y on true;

comment on view fairclaim.job_overview is
'Every job with its status, without payload, result and error texts. Row security decides which rows a role sees.';
