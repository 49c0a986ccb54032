-- The limits of running jobs that bound one tenant in one queue; null where nothing bounds it.
-- total: over all its queues; here: in this queue alone. Each is the tenant's own, and the default
-- where it has none. An own limit that is not active yet gives no room. Plain SQL without settings,
-- so that it becomes a part of the statement that calls it.
create or replace function fairclaim_internal.limits_of(
  p_tenant_id uuid,
  p_queue text
) returns table (total int, here int)
language sql stable rows 1
as $$
  select coalesce(
           max(case when bound.queue = '' and bound.subject = 'tenant'
                    then case when bound.active then bound.max_running else 0 end end),
           max(case when bound.queue = '' and bound.subject = 'default'
                    then bound.max_running end)),
         coalesce(
           max(case when bound.queue <> '' and bound.subject = 'tenant'
                    then case when bound.active then bound.max_running else 0 end end),
           max(case when bound.queue <> '' and bound.subject = 'default'
                    then bound.max_running end))
    from fairclaim_internal.running_limit bound
   where bound.tenant_id = any (array[p_tenant_id, '00000000-0000-0000-0000-000000000000'])
     and bound.queue = any (array['', p_queue])
     and (bound.tenant_id = p_tenant_id or bound.subject <> 'tenant')
$$;

comment on function fairclaim_internal.limits_of(uuid, text) is
'How many jobs of this tenant may run at a time: over all queues, and in this one. Null: no limit.';
