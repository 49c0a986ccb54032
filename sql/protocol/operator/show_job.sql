create or replace function fairclaim.show_job(p_id uuid, p_tenant_id uuid default null) returns table (
  id uuid, tenant_id uuid, queue text, type text, status text, priority int, attempts int, max_attempts int, worker_id text,
  next_retry_at timestamptz, created_at timestamptz, completed_at timestamptz, tags text[], payload jsonb, result jsonb, error jsonb,
  metadata jsonb, timeout float8, errors jsonb,
  attempts_left int, lost int, run_at timestamptz, lease_expires_at timestamptz, cancel_requested boolean, tenant text
)
language plpgsql stable security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set plan_cache_mode = force_custom_plan
as $$
#variable_conflict use_column
declare
  v_open boolean := pg_has_role(caller(), 'fairclaim_auditor', 'USAGE');
  v_tenant uuid := coalesce(p_tenant_id, (select k.tenant_id from find_jobs(null, array[p_id]) k limit 1));
begin
  return query
  select q.id, q.tenant_id, q.queue, q.type, q.status, q.priority::int, q.attempts, q.max_attempts::int, q.worker_id,
         q.next_retry_at, q.created_at, q.completed_at, q.tags,
         case when v_open then q.payload end, case when v_open then q.result end,
         case when v_open then q.error else error_code(q.error) end,
         case when v_open then q.metadata end, q.timeout,
         (select jsonb_agg(jsonb_build_object('attempt', e.attempt, 'at', e.at, 'worker_id', e.worker_id,
                                              'error', case when v_open then e.error else error_code(e.error) end) order by e.attempt)
            from attempt_error e where e.id = q.id and e.tenant_id = q.tenant_id),
         q.attempts_left, q.lost, (select j.run_at from job j where j.tenant_id = q.tenant_id and j.id = q.id),
         q.lease_expires_at, q.cancel_requested,
         tenant_label(q.tenant_id)
    from fairclaim.job_queue q
   where q.id = p_id and q.tenant_id = v_tenant;
end
$$;

comment on function fairclaim.show_job(uuid, uuid) is
'One job with the errors of its attempts, for operators. tenant: what the owner is called, if a job was dispatched for it by name. Payload, result and metadata only for auditors, else null; of an error, others see its code.
attempts_left: how many attempts may still fail; lost: how many workers died with it; both null for a job that has ended. run_at: when it was to run first, null for at once. lease_expires_at, cancel_requested: of a running one.
errors: one object for each attempt that left an error, oldest first: attempt, at (when it ended), worker_id, error.';

grant execute on function fairclaim.show_job(uuid, uuid) to fairclaim_operator, fairclaim_auditor;
