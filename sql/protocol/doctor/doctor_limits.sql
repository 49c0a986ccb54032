-- Counts only: an observer learns how many tenants are limited, not which.
create or replace function fairclaim.doctor_limits() returns table (limited bigint, paused bigint, inactive bigint, inactive_for float8, at_limit bigint)
language sql volatile security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
as $$
  select count(*), count(*) filter (where b.max_running = 0), count(*) filter (where not b.active),
         date_part('epoch', fairclaim.clock() - min(b.seen_at) filter (where not b.active)),
         count(*) filter (where b.max_running > 0 and b.active and r.running >= b.max_running)
    from tenant_limit b
    left join (select g.tenant_id, count(*) as running from running g where g.limited group by g.tenant_id) r
      on r.tenant_id = b.tenant_id
$$;

comment on function fairclaim.doctor_limits() is
'How many tenants have a limit, are paused (limit 0), wait for their limit to take effect (and for how many seconds), or are at their limit now, for `fairclaim doctor`. For operators and observers.';

grant execute on function fairclaim.doctor_limits() to fairclaim_operator, fairclaim_observer;
