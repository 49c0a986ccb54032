-- Counts only: it is said how many tenants are limited, not which.
create or replace function fairclaim_internal.findings_of_limits()
returns table (level text, name text, seen text, advice text)
language sql volatile
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
as $$
  with told as (
    select count(*) filter (where bound.subject = 'tenant') as limited,
           count(*) filter (where bound.subject <> 'tenant') as others,
           count(*) filter (where bound.subject = 'tenant' and bound.max_running = 0) as closed,
           count(*) filter (where not bound.active) as inactive,
           (select count(distinct at_limit.tenant_id) from at_limit
             where at_limit.jobs <> 0) as at_limit,
           -- a limit takes effect with the second tick after the claims of that moment
           fairclaim.clock() - min(bound.seen_at) filter (where not bound.active) > interval '1 min'
             as is_late
      from running_limit bound)
  select case when told.is_late then 'warning'
              when told.closed > 0 or told.inactive > 0 then 'note' else 'ok' end, 'limits',
         format('%s with one, %s of queues or by default; %s of 0, %s at a limit, %s not in '
                || 'effect yet',
                counted(told.limited, 'tenant'), told.others, told.closed,
                counted(told.at_limit, 'tenant'), told.inactive),
         case when told.is_late
              then 'until a new limit of a tenant takes effect none of its jobs is claimed, and an '
                   || 'open transaction is in its way: see `floors` and `long_transaction`'
              when told.closed > 0 or told.inactive > 0
              then 'their jobs wait; that is what a limit is for' end
    from told
$$;

comment on function fairclaim_internal.findings_of_limits() is
'Counts tenants that have a limit, are paused or at it, or wait for it to take effect.';
