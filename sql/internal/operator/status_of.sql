-- Tells the status of each job by the narrow table that has a row of it (I1). Each table is looked
-- into by the job's id.
create or replace function fairclaim_internal.status_of(p_tenant_id uuid, p_ids uuid[])
returns table (id uuid, status text)
language sql stable
as $$
  with known as materialized (
    select found.id, found.tenant_id from fairclaim_internal.find_jobs(p_tenant_id, p_ids) found)
  select asked.id,
         case when known.id is not null then coalesce(
           (select finished.status from fairclaim_internal.finished
             where finished.id = known.id and finished.tenant_id = known.tenant_id),
           (select 'processing' from fairclaim_internal.running where running.id = known.id),
           (select 'scheduled' from fairclaim_internal.scheduled where scheduled.id = known.id),
           'pending') end
    from unnest(p_ids) with ordinality asked(id, ordinal)
    left join known on known.id = asked.id
   order by asked.ordinal
$$;

comment on function fairclaim_internal.status_of(uuid, uuid[]) is
'The status of each job, null for one that is not there.';
