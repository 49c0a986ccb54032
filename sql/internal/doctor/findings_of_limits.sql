-- Counts only: it is said how many tenants are limited, not which.
create or replace function fairclaim_internal.findings_of_limits()
returns table (level text, name text, seen text, advice text)
language sql volatile
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
as $$
  with told as (
    select count(*) as limited, count(*) filter (where bound.max_running = 0) as paused,
           count(*) filter (where not bound.active) as inactive,
           count(*) filter (where bound.max_running > 0 and bound.active
                              and taken.running >= bound.max_running)
             as at_limit,
           -- a limit takes effect with the second tick after the claims of that moment
           fairclaim.clock() - min(bound.seen_at) filter (where not bound.active) > interval '1 min'
             as is_late
      from tenant_limit bound
      left join (select held.tenant_id, count(*) as running from running held
                  where held.limited group by held.tenant_id) taken
                  on taken.tenant_id = bound.tenant_id)
  select case when told.is_late then 'warning'
              when told.paused > 0 or told.inactive > 0 then 'note' else 'ok' end, 'limits',
         format('%s with one; %s paused, %s at it, %s waiting for it to take effect',
                counted(told.limited, 'tenant'), told.paused, told.at_limit, told.inactive),
         case when told.is_late
              then 'until a new limit takes effect none of the tenant''s jobs is claimed, and an '
                   || 'open transaction is in its way: see `floors` and `long_transaction`'
              when told.paused > 0 or told.inactive > 0
              then 'their jobs wait; that is what a limit is for' end
    from told
$$;

comment on function fairclaim_internal.findings_of_limits() is
'Counts tenants that have a limit, are paused or at it, or wait for it to take effect.';
