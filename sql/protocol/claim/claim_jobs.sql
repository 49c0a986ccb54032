-- The claim is take_jobs; here its wide rows are read, never `job` first: offset 0. The pins are
-- for that and for take_jobs: statistics of a moment at which nothing waits would choose to read
-- whole tables.
create or replace function fairclaim.claim_jobs(
  p_worker_id text,
  p_queues text[],
  p_limit int,
  p_types text[] default null,
  p_lease float8 default 30,
  p_cursor text default null,
  p_lease_token uuid default null,
  p_idle_for float8 default null,
  p_alone boolean default false
) returns table (
  id uuid, tenant_id uuid, type text, status text, payload jsonb, result jsonb, worker_id text,
  attempts int, next_retry_at timestamptz, created_at timestamptz, completed_at timestamptz,
  queue text, priority int, max_attempts int, attempts_left int, lost int, timeout float8,
  tags text[], metadata jsonb, lease_token uuid, lease_expires_at timestamptz, next_cursor text
)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_claim record;
begin
  v_claim := take_jobs(p_worker_id, p_queues, p_limit, p_types, p_lease, p_cursor, p_lease_token,
    p_idle_for, p_alone);
  if v_claim.jobs is not null then
    return query
    select wide.id, wide.tenant_id, wide.type, 'processing'::text, wide.payload, null::jsonb,
           p_worker_id, taken.attempts + 1, null::timestamptz, wide.created_at, null::timestamptz,
           wide.queue, wide.priority::int, wide.max_attempts::int, taken.attempts_left::int,
           taken.lost::int, date_part('epoch', wide.timeout), wide.tags, wide.metadata,
           v_claim.token, v_claim.expires_at, v_claim.cursor
      from unnest(v_claim.jobs) taken
     cross join lateral (
       select * from job
        where job.tenant_id = taken.tenant_id and job.id = taken.id offset 0) wide;
    if fairclaim.clock() >= v_claim.expires_at then
      perform refuse_late(v_claim.expires_at);
    end if;
  end if;
end
$$;

comment on function fairclaim.claim_jobs(text, text[], int, text[], float8, text, uuid,
    float8, boolean) is
'Takes up to p_limit (1 to 1,000) jobs to run, each by exactly one worker at a time, tenants in turn; empty when there is none. Starts an attempt of each: attempts grows by one, and (id, attempts, lease_token) is needed to settle it before lease_expires_at.
p_queues: null for every queue that is not paused; queues are visited in turn. p_types: null for every type. p_lease: seconds, 1 to 86,400.
p_cursor: next_cursor of an earlier claim of this worker (null at first): its place in the round. A worker with several claims under way keeps one for each of them.
p_lease_token: the token of all that is claimed, a random uuid of this call alone (null: one is made), so that a caller without an answer can give it back by release_claims.
p_idle_for: for how many seconds a caller that gets nothing will be idle unless it is woken by LISTEN; 0 when nothing wakes it, null for about a second.
p_alone: true claims one job whose workers died twice, the oldest, or nothing, whatever p_limit says; no other claim returns such a job. For a caller that holds nothing else and claims nothing until it is settled, so that no other job is lost with it. One that no worker takes within setting.suspect_wait (an hour at first) fails, with the error code lost.
Errors: JQ004; 55P03 when it had to wait for so long that the lease would be over: nothing was claimed, repeat it. Needs READ COMMITTED.';

grant execute on function fairclaim.claim_jobs(text, text[], int, text[], float8, text, uuid,
    float8, boolean)
  to fairclaim_worker;
