-- For producers: by index only, whatever the statistics say. Each id is looked up in `job` with its
-- tenant, and then in the narrow tables until it is found; all in one statement, so that a job that
-- moves at this moment is seen in one place. A waiting one is found through the group of its
-- queue's shared lanes, or among the own lanes. `offset 0` keeps each look-up a look-up.
create or replace function fairclaim.get_jobs(p_tenant_id uuid, p_ids uuid[]) returns table (
  id uuid, status text, attempts int, result jsonb, error_code text, ended_at timestamptz
)
language plpgsql stable security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_memoize = off
set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
begin
  if p_ids is null or cardinality(p_ids) > 10000
     or array_ndims(p_ids) > 1 or array_position(p_ids, null) is not null then
    perform refuse('JQ004', 'p_ids', 'must be a list of at most 10,000 ids without nulls',
      'ask for fewer jobs at once', '{"limit": 10000}');
  end if;
  p_tenant_id := coalesce(p_tenant_id, default_tenant());
  if p_tenant_id is null then
    perform refuse('JQ002', 'p_tenant_id', 'is missing',
      'give the id of the tenant: fairclaim.tenant_uuid(name) makes one of a name'
      ' (an application with one tenant only sets it once:'
      ' `fairclaim settings set default_tenant app`)');
  end if;
  return query
  select wanted.id,
         coalesce(ended.status,
           case when runs.attempt is not null then 'processing'
                when later.attempts is not null then 'scheduled'
                else 'pending' end),
         coalesce(ended.attempts, runs.attempt, later.attempts, waits.attempts, behind.attempts, 0),
         ended.result, ended.error ->> 'code', ended.completed_at
    from unnest(p_ids) with ordinality wanted(id, place)
   cross join lateral (
     select job.queue, job.key from job
      where job.tenant_id = p_tenant_id and job.id = wanted.id offset 0) job
    left join lateral (
     select finished.status, finished.attempts, finished.result, finished.error,
            finished.completed_at
       from finished
      where finished.id = wanted.id and finished.tenant_id = p_tenant_id offset 0) ended on true
    left join lateral (
     select running.attempt from running
      where running.id = wanted.id and ended.status is null offset 0) runs on true
    left join lateral (
     select scheduled.attempts from scheduled
      where scheduled.id = wanted.id and ended.status is null and runs.attempt is null
     offset 0) later on true
    left join lateral (
     select ready.attempts from ready
      where ready.tenant_id = p_tenant_id and ready.id = wanted.id
        and (ready.lane_id >> 32) = any (array[0, lane_group(job.queue)])
        and ended.status is null and runs.attempt is null and later.attempts is null
      limit 1) waits on true
    left join lateral (
     select held.attempts from held
      where held.id = wanted.id and job.key is not null offset 0) behind on true
   order by wanted.place;
end
$$;

comment on function fairclaim.get_jobs(uuid, uuid[]) is
'What became of jobs of one tenant (null: the default tenant of the settings), for producers: one row for each of p_ids (at most 10,000) that the tenant has, in their order, and none for the others, whether they are another tenant''s or were never there. An empty list answers nothing.
status: scheduled, pending, processing, completed, failed or cancelled. attempts: how often it was claimed. Of a job that has ended: result, what its handler returned; error_code, the code of its last error; ended_at. Of one that has not, these are null.
Costs a few look-ups an id, however many jobs there are. Errors: JQ002, JQ004.';

grant execute on function fairclaim.get_jobs(uuid, uuid[]) to fairclaim_producer;
