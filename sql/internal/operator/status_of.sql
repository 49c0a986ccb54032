create or replace function fairclaim_internal.status_of(p_tenant_id uuid, p_ids uuid[]) returns table (id uuid, status text)
language sql stable
as $$
  with known as materialized (select k.id, k.tenant_id from fairclaim_internal.find_jobs(p_tenant_id, p_ids) k)
  select u.i,
         case when k.id is not null then coalesce(
           (select f.status from fairclaim_internal.finished f where f.id = k.id and f.tenant_id = k.tenant_id),
           (select 'processing' from fairclaim_internal.running r where r.id = k.id),
           (select 'scheduled' from fairclaim_internal.scheduled s where s.id = k.id),
           'pending') end
    from unnest(p_ids) with ordinality u(i, o)
    left join known k on k.id = u.i
   order by u.o
$$;

comment on function fairclaim_internal.status_of(uuid, uuid[]) is 'The status of each job, null for one that is not there.';
