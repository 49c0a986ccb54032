-- Reads one job by its key. Without a tenant it is looked for in the narrow tables first
-- (find_jobs).
create or replace function fairclaim.show_job(
  p_id uuid,
  p_tenant_id uuid default null
) returns table (
  id uuid, tenant_id uuid, queue text, type text, status text, priority int, attempts int,
  max_attempts int, worker_id text, next_retry_at timestamptz, created_at timestamptz,
  completed_at timestamptz, tags text[], payload jsonb, result jsonb, error jsonb,
  metadata jsonb, timeout float8, errors jsonb,
  attempts_left int, lost int, run_at timestamptz, lease_expires_at timestamptz,
  cancel_requested boolean, tenant text
)
language plpgsql stable security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set plan_cache_mode = force_custom_plan
as $$
#variable_conflict use_column
declare
  v_open boolean := caller_is('auditor');
  v_tenant uuid := coalesce(
    p_tenant_id, (select known.tenant_id from find_jobs(null, array[p_id]) known limit 1));
begin
  return query
  select entry.id, entry.tenant_id, entry.queue, entry.type, entry.status, entry.priority::int,
         entry.attempts, entry.max_attempts::int, entry.worker_id, entry.next_retry_at,
         entry.created_at, entry.completed_at, entry.tags,
         case when v_open then entry.payload end, case when v_open then entry.result end,
         case when v_open then entry.error else error_code(entry.error) end,
         case when v_open then entry.metadata end, entry.timeout,
         (select jsonb_agg(
                   jsonb_build_object(
                     'attempt', past.attempt, 'at', past.at, 'worker_id', past.worker_id,
                     'error', case when v_open then past.error else error_code(past.error) end)
                   order by past.attempt)
            from attempt_error past
           where past.id = entry.id and past.tenant_id = entry.tenant_id),
         entry.attempts_left, entry.lost,
         (select job.run_at from job where job.tenant_id = entry.tenant_id and job.id = entry.id),
         entry.lease_expires_at, entry.cancel_requested,
         tenant_label(entry.tenant_id)
    from fairclaim.job_queue entry
   where entry.id = p_id and entry.tenant_id = v_tenant;
end
$$;

comment on function fairclaim.show_job(uuid, uuid) is
'One job with the errors of its attempts, for operators. tenant: what the owner is called, if a job was dispatched for it by name. Payload, result and metadata only for auditors, else null; of an error, others see its code.
attempts_left: how many attempts may still fail; lost: how many workers died with it; both null for a job that has ended. run_at: when it was to run first, null for at once. lease_expires_at, cancel_requested: of a running one.
errors: one object for each attempt that left an error, oldest first: attempt, at (when it ended), worker_id, error.';

grant execute on function fairclaim.show_job(uuid, uuid) to fairclaim_operator, fairclaim_auditor;
