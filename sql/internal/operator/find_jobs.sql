-- Whose jobs these are: without a tenant it is looked for in the narrow tables. Only ids that are in none of those with an index by id
-- cost a read of what waits (`ready`), once for all of them; never one of the history.
create or replace function fairclaim_internal.find_jobs(p_tenant_id uuid, p_ids uuid[]) returns table (id uuid, tenant_id uuid)
language plpgsql stable
as $$
#variable_conflict use_column
declare
  v_ids uuid[] := p_ids;
  v_found uuid[];
  v_tenants uuid[];
begin
  if p_tenant_id is not null then
    return query select j.id, j.tenant_id from job j where j.tenant_id = p_tenant_id and j.id = any (p_ids);
    return;
  end if;
  select array_agg(z.id), array_agg(z.tenant_id) into v_found, v_tenants
    from (select f.id, f.tenant_id from finished f where f.id = any (p_ids)
          union all
          select r.id, r.tenant_id from running r where r.id = any (p_ids)
          union all
          select s.id, s.tenant_id from scheduled s where s.id = any (p_ids)) z;
  return query select x.i, x.t from unnest(v_found, v_tenants) x(i, t);
  select array_agg(u.i) into v_ids from unnest(p_ids) u(i) where u.i not in (select x.i from unnest(v_found) x(i));
  if v_ids is not null then
    return query select y.id, y.tenant_id from ready y where y.id = any (v_ids);
  end if;
end
$$;

comment on function fairclaim_internal.find_jobs(uuid, uuid[]) is 'Which of these jobs there are, with their tenants; p_tenant_id null for those of every tenant.';
