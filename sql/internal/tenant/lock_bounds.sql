-- Whoever changes settings works alone, so that what is in force follows from all that is set.
-- Readers wait for nothing, and neither do claims, dispatches and ticks.
create or replace function fairclaim_internal.lock_bounds() returns void
language plpgsql
as $$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform refuse('JQ004', 'transaction',
      'a change of settings needs isolation level read committed',
      'begin isolation level read committed');
  end if;
  lock table bound in share row exclusive mode;
end
$$;

comment on function fairclaim_internal.lock_bounds() is
'Lets one transaction at a time change settings of tenants and queues. Errors: JQ004 outside READ COMMITTED.';
