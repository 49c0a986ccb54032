-- One step of an operation on all jobs of a tenant: it looks at the next p_limit of them, oldest
-- first, whatever their status, and gives those that the filter lets through. The walk by (tenant,
-- id) meets each job once, also one that changes its state meanwhile, and no dead rows of what an
-- earlier step has moved. So a whole operation costs as much as the tenant has jobs.
create or replace function fairclaim_internal.tenant_jobs(
  p_tenant_id uuid,
  p_queue text,
  p_type text,
  p_older_than float8,
  p_newer_than float8,
  p_after uuid,
  p_limit int,
  out ids uuid[],
  out looked int,
  out next uuid
)
language plpgsql stable
set enable_seqscan = off
as $$
declare
  v_now timestamptz := fairclaim.clock();
begin
  perform check_tenant(p_tenant_id);
  perform check_filter(null, p_older_than, p_newer_than, null);
  if p_limit is null or p_limit not between 1 and 10000 then
    perform refuse('JQ004', 'p_limit', 'must be from 1 to 10,000',
      'go on with p_after = next, as long as there is one', '{"minimum": 1, "maximum": 10000}');
  end if;
  select count(*), max(look.id::text)::uuid,
         coalesce(array_agg(look.id order by look.id) filter (
           where (p_queue is null or look.queue = p_queue collate "C")
             and (p_type is null or look.type = p_type collate "C")
             and (p_older_than is null
                  or look.created_at < v_now - make_interval(secs => p_older_than))
             and (p_newer_than is null
                  or look.created_at >= v_now - make_interval(secs => p_newer_than))), '{}')
    into looked, next, ids
    from (select job.id, job.queue, job.type, job.created_at from job
           where job.tenant_id = p_tenant_id
             and job.id > coalesce(p_after, '00000000-0000-0000-0000-000000000000')
           order by job.tenant_id, job.id limit p_limit) look;
  if looked < p_limit then
    next := null;
  end if;
end
$$;

comment on function fairclaim_internal.tenant_jobs(uuid, text, text, float8, float8, uuid, int) is
'The next jobs of a tenant that a filter lets through, how many it looked at, and where to go on (null: that was the last). Errors: JQ002, JQ004.';
