-- Reads from a batch only whose jobs they are and in which queue. What is wrong with a job is left
-- to the checks that follow: a tenant that is none is passed over here.
create or replace function fairclaim_internal.check_batch_quotas(p_jobs jsonb, p_tenants jsonb)
returns void
language plpgsql
as $$
declare
  v_tenants uuid[];
  v_queues text[];
  v_jobs int[];
  v_items int[];
begin
  select array_agg(given.tenant_id), array_agg(given.queue), array_agg(given.jobs),
         array_agg(given.item)
    into v_tenants, v_queues, v_jobs, v_items
    from (select named.tenant::uuid as tenant_id, named.queue, count(*)::int as jobs,
                 min(named.place)::int - 1 as item
            from (select coalesce(job.item ->> 'tenant_id',
                           p_tenants ->> coalesce(job.item ->> 'tenant', '')) as tenant,
                         coalesce(job.item ->> 'queue', 'default') as queue, job.place
                    from jsonb_array_elements(p_jobs) with ordinality job(item, place)) named
           where named.tenant ~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$'
           group by 1, 2) given;
  if v_tenants is not null then
    perform check_quotas(v_tenants, v_queues, v_jobs, v_items);
  end if;
end
$$;

comment on function fairclaim_internal.check_batch_quotas(jsonb, jsonb) is
'Refuses a batch (JQ003) after which a tenant has more jobs waiting than its quota. p_tenants: the ids of the tenants that it names.';
