-- The tenant's own quota comes before the default one; one over all queues and one in the queue
-- hold both.
create or replace function fairclaim_internal.quotas_of(p_tenant_id uuid, p_queue text)
returns table (subject text, queue text, max_waiting int, refuses boolean)
language sql stable
as $$
  select distinct on (bound.queue) bound.subject, bound.queue, bound.max_waiting, bound.refuses
    from fairclaim_internal.waiting_limit bound
   where bound.tenant_id
           = any (array[p_tenant_id, '00000000-0000-0000-0000-000000000000'::uuid])
     and bound.queue = any (array['', p_queue] collate "C")
     and (bound.subject = 'tenant' and bound.tenant_id = p_tenant_id or bound.subject = 'default')
   order by bound.queue, bound.subject = 'tenant' desc
$$;

comment on function fairclaim_internal.quotas_of(uuid, text) is
'The quotas on waiting jobs that are in force for a tenant: over all queues (empty name) and in this one.';
