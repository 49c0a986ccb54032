-- Finds which tenants jobs belong to. Without a tenant the jobs are looked for in the narrow
-- tables. Only ids that are in none of those that have an index by id cost a read of what waits
-- (`ready`), once for all of them; none costs a read of the history.
create or replace function fairclaim_internal.find_jobs(p_tenant_id uuid, p_ids uuid[])
returns table (id uuid, tenant_id uuid)
language plpgsql stable
as $$
#variable_conflict use_column
declare
  v_ids uuid[] := p_ids;
  v_found uuid[];
  v_tenants uuid[];
begin
  if p_tenant_id is not null then
    return query
    select job.id, job.tenant_id from job
     where job.tenant_id = p_tenant_id and job.id = any (p_ids);
    return;
  end if;
  select array_agg(narrow.id), array_agg(narrow.tenant_id) into v_found, v_tenants
    from (select finished.id, finished.tenant_id from finished where finished.id = any (p_ids)
          union all
          select running.id, running.tenant_id from running where running.id = any (p_ids)
          union all
          select scheduled.id, scheduled.tenant_id from scheduled
           where scheduled.id = any (p_ids)
          union all
          select held.id, held.tenant_id from held where held.id = any (p_ids)) narrow;
  return query
  select found.id, found.tenant_id from unnest(v_found, v_tenants) found(id, tenant_id);
  select array_agg(asked.id) into v_ids
    from unnest(p_ids) asked(id)
   where asked.id not in (select found.id from unnest(v_found) found(id));
  if v_ids is not null then
    return query select ready.id, ready.tenant_id from ready where ready.id = any (v_ids);
  end if;
end
$$;

comment on function fairclaim_internal.find_jobs(uuid, uuid[]) is
'Which of these jobs there are, with their tenants; p_tenant_id null for those of every tenant.';
