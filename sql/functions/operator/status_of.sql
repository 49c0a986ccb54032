create or replace function fairclaim.status_of(p_tenant_id uuid, p_ids uuid[]) returns table (id uuid, status text)
language sql stable
as $$
  select u.i,
         coalesce(
           (select f.status from fairclaim.finished f where f.id = u.i and (p_tenant_id is null or f.tenant_id = p_tenant_id) limit 1),
           (select 'processing' from fairclaim.running r where r.id = u.i and (p_tenant_id is null or r.tenant_id = p_tenant_id)),
           (select 'scheduled' from fairclaim.scheduled s where s.id = u.i and (p_tenant_id is null or s.tenant_id = p_tenant_id)),
           (select 'pending' from fairclaim.job j where j.id = u.i and (p_tenant_id is null or j.tenant_id = p_tenant_id) limit 1))
    from unnest(p_ids) with ordinality u(i, o)
   order by u.o
$$;

comment on function fairclaim.status_of(uuid, uuid[]) is 'The status of each job, null for one that is not there.';
