-- The limits of running jobs that bound one tenant in one queue; null where nothing bounds it.
-- total: over all its queues; here: in this queue alone. Each is the tenant's own, or the default
-- that is given. An own limit that is not active yet gives no room. Plain SQL without settings, so
-- that it becomes a part of the statement that calls it.
create or replace function fairclaim_internal.limits_of(
  p_tenant_id uuid,
  p_queue text,
  p_total int,
  p_here int
) returns table (total int, here int)
language sql stable rows 1
as $$
  select coalesce(
           max(case when own.queue = ''
                    then case when own.active then own.max_running else 0 end end),
           p_total),
         coalesce(
           max(case when own.queue <> ''
                    then case when own.active then own.max_running else 0 end end),
           p_here)
    from fairclaim_internal.running_limit own
   where own.tenant_id = p_tenant_id and own.queue in ('', p_queue) and own.subject = 'tenant'
     and own.max_running is not null
$$;

comment on function fairclaim_internal.limits_of(uuid, text, int, int) is
'How many jobs of this tenant may run at a time: over all queues, and in this one. Null: no limit.';
