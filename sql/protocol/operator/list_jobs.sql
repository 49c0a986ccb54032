-- Newest first, by id. Where a page starts and what it costs: matching_jobs.
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
  id uuid, tenant_id uuid, queue text, type text, status text, priority int, attempts int, max_attempts int, worker_id text,
  next_retry_at timestamptz, created_at timestamptz, completed_at timestamptz, tags text[], tenant text
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
begin
  if p_limit is null or p_limit not between 1 and 1000 then
    perform refuse('JQ004', 'p_limit', 'must be from 1 to 1,000',
      'ask for at most 1,000 and go on with p_before_id', '{"minimum": 1, "maximum": 1000}');
  end if;
  perform check_filter(p_status, p_older_than, p_newer_than, p_error);
  select array_agg(m.id order by m.id desc), array_agg(m.tenant_id order by m.id desc) into v_ids, v_tenants
    from matching_jobs(p_tenant_id, p_queue, p_type, p_status, p_before_id, make_interval(secs => p_older_than),
           make_interval(secs => p_newer_than), p_error, p_limit) m;
  return query
  select o.id, o.tenant_id, o.queue, o.type, o.status, o.priority::int, o.attempts, o.max_attempts::int, o.worker_id,
         o.next_retry_at, o.created_at, o.completed_at, o.tags, tenant_label(o.tenant_id)
    from unnest(v_ids, v_tenants) with ordinality x(i, t, n)
   cross join lateral (select * from fairclaim.job_overview o where o.tenant_id = x.t and o.id = x.i offset 0) o
   order by x.n;
end
$$;

comment on function fairclaim.list_jobs(uuid, text, text, text, uuid, int, float8, float8, text) is
'Jobs, newest first, without payloads, for operators. tenant: what the owner is called, if a job was dispatched for it by name. All filters are optional. The next page: p_before_id = the last id of this one. p_limit 1 to 1,000.
p_older_than, p_newer_than: seconds since the dispatch, 0 to 1,577,836,800 (50 years). p_error: 1 to 255 characters that the code or the message of the last error has, upper or lower case; never a completed job; auditors only.
A page costs as many rows as it has, if all that it comes by match. A filter that few match looks on until the page is full: give it a tenant, or ages. What waits (pending, or no status without a tenant) has no order by id and is read whole for each page.
Errors: JQ004, JQ007.';

grant execute on function fairclaim.list_jobs(uuid, text, text, text, uuid, int, float8, float8, text)
  to fairclaim_operator, fairclaim_auditor;
