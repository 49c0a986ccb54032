-- The rates that bound one tenant in one queue: over all its queues, and in this one; each is its
-- own, or the default where it has none. Plain SQL without settings, so that it becomes a part of
-- the statement that calls it.
create or replace function fairclaim_internal.rates_of(p_tenant_id uuid, p_queue text)
returns table (queue text, units int, period float8, burst int)
language sql stable rows 1
as $$
  select distinct on (bound.queue) bound.queue, bound.units, bound.period, bound.burst
    from fairclaim_internal.running_limit bound
   where bound.tenant_id = any (array[p_tenant_id, '00000000-0000-0000-0000-000000000000'])
     and bound.queue = any (array['', p_queue]) and bound.units is not null
     and (bound.subject = 'default' or bound.subject = 'tenant' and bound.tenant_id = p_tenant_id)
   order by bound.queue, bound.subject desc
$$;

comment on function fairclaim_internal.rates_of(uuid, text) is
'The rates of a tenant that count in this queue: its own, or the defaults.';
