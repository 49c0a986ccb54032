-- The contract's one-job claim. It has no cursor argument: its place is a hint in a session
-- setting, which names no tenant and is harmless if it is shared, lost or forged.
create or replace function fairclaim.claim_job(
  p_worker_id text,
  p_queues text[] default null,
  p_types text[] default null,
  p_lease float8 default 30,
  p_lease_token uuid default null
) returns table (
  id uuid, tenant_id uuid, type text, status text, payload jsonb, result jsonb, worker_id text,
  attempts int, next_retry_at timestamptz, created_at timestamptz, completed_at timestamptz,
  queue text, priority int, max_attempts int, attempts_left int, lost int, timeout float8,
  tags text[], metadata jsonb, lease_token uuid, lease_expires_at timestamptz
)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$
#variable_conflict use_column
declare
  v_cursor text := nullif(current_setting('fairclaim.turn', true), '');
  v_job record;
begin
  if v_cursor is not null then
    begin
      perform check_cursor(v_cursor);
    exception
      when sqlstate 'JQ004' then v_cursor := null;
    end;
  end if;
  select * into v_job
    from fairclaim.claim_jobs(p_worker_id, p_queues, 1, p_types, p_lease, v_cursor, p_lease_token);
  if found then
    perform set_config('fairclaim.turn', v_job.next_cursor, false);
    return query
    select v_job.id, v_job.tenant_id, v_job.type, v_job.status, v_job.payload, v_job.result,
           v_job.worker_id, v_job.attempts, v_job.next_retry_at, v_job.created_at,
           v_job.completed_at, v_job.queue, v_job.priority, v_job.max_attempts,
           v_job.attempts_left, v_job.lost, v_job.timeout, v_job.tags, v_job.metadata,
           v_job.lease_token, v_job.lease_expires_at;
  end if;
end
$$;

comment on function fairclaim.claim_job(text, text[], text[], float8, uuid) is
'Takes one job to run, or returns no row. As claim_jobs with p_limit 1; the place in the round is kept in the session.';

grant execute on function fairclaim.claim_job(text, text[], text[], float8, uuid)
  to fairclaim_worker;
