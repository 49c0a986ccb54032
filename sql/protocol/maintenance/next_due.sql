-- Asked by a worker that will ask nothing until then. It reads a small table and the head of an
-- index, locks nothing, and writes nothing.
create or replace function fairclaim.next_due() returns float8
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$
declare
  v_due timestamptz := least(
    (select min(scheduled.run_at) from scheduled),
    (select min(running.lease_expires_at) from running));
begin
  return extract(epoch from v_due - fairclaim.clock());
end
$$;

comment on function fairclaim.next_due() is
'In how many seconds the next delayed job is due or the next lease ends; null when there is neither, negative when it is overdue. For workers that sleep until then.';

grant execute on function fairclaim.next_due() to fairclaim_worker;
