-- Newest first, by id. A list of one status starts from the table of that status.
create or replace function fairclaim.list_jobs(
  p_tenant_id uuid default null,
  p_queue text default null,
  p_type text default null,
  p_status text default null,
  p_before_id uuid default null,
  p_limit int default 100
) returns table (
  id uuid, tenant_id uuid, queue text, type text, status text, priority int, attempts int, max_attempts int, worker_id text,
  next_retry_at timestamptz, created_at timestamptz, completed_at timestamptz, tags text[]
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set jit = off
set plan_cache_mode = force_custom_plan
as $$
#variable_conflict use_column
declare
  v_ids uuid[];
  v_tenants uuid[];
  v_before uuid := coalesce(p_before_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff');
begin
  if p_limit is null or p_limit not between 1 and 1000 then
    perform fairclaim.refuse('JQ004', 'p_limit', 'must be from 1 to 1,000');
  elsif p_status not in ('scheduled', 'pending', 'processing', 'completed', 'failed', 'cancelled') then
    perform fairclaim.refuse('JQ004', 'p_status', 'must be scheduled, pending, processing, completed, failed or cancelled');
  end if;
  -- each job is in exactly one of the four, and `job` has no index by id alone
  select array_agg(z.id order by z.id desc), array_agg(z.tenant_id order by z.id desc) into v_ids, v_tenants
    from (select c.id, c.tenant_id
            from (select f.id, f.tenant_id from fairclaim.finished f
                   where f.id < v_before and (p_status is null or f.status = p_status)
                     and (p_status is null or p_status in ('completed', 'failed', 'cancelled'))
                  union all
                  select r.id, r.tenant_id from fairclaim.running r where r.id < v_before and (p_status is null or p_status = 'processing')
                  union all
                  select s.id, s.tenant_id from fairclaim.scheduled s where s.id < v_before and (p_status is null or p_status = 'scheduled')
                  union all
                  select y.id, y.tenant_id from fairclaim.ready y where y.id < v_before and (p_status is null or p_status = 'pending')) c
           where (p_tenant_id is null or c.tenant_id = p_tenant_id)
             and (p_queue is null and p_type is null or exists (
                   select from fairclaim.job j
                    where j.tenant_id = c.tenant_id and j.id = c.id
                      and (p_queue is null or j.queue = p_queue) and (p_type is null or j.type = p_type)))
           order by c.id desc limit p_limit) z;
  return query
  select o.id, o.tenant_id, o.queue, o.type, o.status, o.priority::int, o.attempts, o.max_attempts::int, o.worker_id,
         o.next_retry_at, o.created_at, o.completed_at, o.tags
    from unnest(v_ids, v_tenants) with ordinality x(i, t, n)
   cross join lateral (select * from fairclaim.job_overview o where o.tenant_id = x.t and o.id = x.i offset 0) o
   order by x.n;
end
$$;

comment on function fairclaim.list_jobs(uuid, text, text, text, uuid, int) is
'Jobs, newest first, without payloads, for operators. All filters are optional. The next page: p_before_id = the last id of this one. p_limit 1 to 1,000. Errors: JQ004.';
