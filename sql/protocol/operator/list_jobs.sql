-- Newest first, by id. matching_jobs says where a page starts and what it costs; it is asked for
-- one job more, to know whether there is another page. Beside the overview, each row looks up its
-- last error by id; `offset 0` keeps that look from becoming a join of whole tables.
create or replace function fairclaim.list_jobs(
  p_tenant_id uuid default null,
  p_queue text default null,
  p_type text default null,
  p_status text default null,
  p_before_id uuid default null,
  p_limit int default 100,
  p_older_than float8 default null,
  p_newer_than float8 default null,
  p_error text default null
) returns table (
  id uuid, tenant_id uuid, queue text, type text, status text, priority int, attempts int,
  max_attempts int, worker_id text, next_retry_at timestamptz, created_at timestamptz,
  completed_at timestamptz, tags text[],
  attempts_left int, error_code text, error_message text, more boolean, tenant text
)
language plpgsql stable security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set plan_cache_mode = force_custom_plan
as $$
#variable_conflict use_column
declare
  v_ids uuid[];
  v_tenants uuid[];
  v_more boolean;
  v_open boolean := caller_is('auditor');
begin
  if p_limit is null or p_limit not between 1 and 1000 then
    perform refuse('JQ004', 'p_limit', 'must be from 1 to 1,000',
      'ask for at most 1,000 and go on with p_before_id', '{"minimum": 1, "maximum": 1000}');
  end if;
  perform check_filter(p_status, p_older_than, p_newer_than, p_error);
  select array_agg(matching.id order by matching.id desc),
         array_agg(matching.tenant_id order by matching.id desc)
    into v_ids, v_tenants
    from matching_jobs(p_tenant_id, p_queue, p_type, p_status, p_before_id,
           make_interval(secs => p_older_than), make_interval(secs => p_newer_than), p_error,
           p_limit + 1) matching;
  v_more := coalesce(cardinality(v_ids), 0) > p_limit;
  return query
  select job.id, job.tenant_id, job.queue, job.type, job.status, job.priority::int, job.attempts,
         job.max_attempts::int, job.worker_id, job.next_retry_at, job.created_at, job.completed_at,
         job.tags, job.attempts_left, last.error ->> 'code',
         case when v_open then left(last.error ->> 'message', 200) end, v_more,
         tenant_label(job.tenant_id)
    from unnest(v_ids[:p_limit], v_tenants[:p_limit]) with ordinality page(id, tenant_id, place)
   cross join lateral (
     select * from fairclaim.job_overview overview
      where overview.tenant_id = page.tenant_id and overview.id = page.id offset 0) job
   cross join lateral (
     select case when job.status <> 'completed' then coalesce(
              (select finished.error from finished
                where finished.id = job.id and finished.tenant_id = job.tenant_id),
              (select attempt_error.error from attempt_error
                where attempt_error.id = job.id and attempt_error.tenant_id = job.tenant_id
                order by attempt_error.attempt desc limit 1)) end as error
     offset 0) last
   order by page.place;
end
$$;

comment on function fairclaim.list_jobs(uuid, text, text, text, uuid, int, float8, float8, text) is
'Jobs, newest first, without payloads, for operators. tenant: what the owner is called, if a job was dispatched for it by name. All filters are optional. more: there are older ones that match, and the next page is p_before_id = the last id of this one. p_limit 1 to 1,000.
attempts_left: how many attempts may still fail, null for a job that has ended. error_code, error_message: of the last error of a job that did not complete; the message only for auditors, and no more than its first 200 characters.
p_older_than, p_newer_than: seconds since the dispatch, 0 to 1,577,836,800 (50 years). p_error: 1 to 255 characters that the code, the message or the trace of the last error has, upper or lower case; never a completed job; auditors only.
A page costs as many rows as it has, if all that it comes by match. A filter that few match looks on until the page is full: give it a tenant, or ages. What waits (pending, or no status without a tenant) has no order by id and is read whole for each page.
Errors: JQ004, JQ007.';

grant execute on function fairclaim.list_jobs(uuid, text, text, text, uuid, int, float8,
    float8, text)
  to fairclaim_operator, fairclaim_auditor;
