-- For a worker that will ask nothing until then. Reads a small table and the head of an index, locks nothing, writes nothing.
create or replace function fairclaim.next_due() returns float8
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$
declare
  v_due timestamptz := least((select min(s.run_at) from scheduled s), (select min(r.lease_expires_at) from running r));
begin
  return extract(epoch from v_due - fairclaim.clock());
end
$$;

comment on function fairclaim.next_due() is
'In how many seconds the next delayed job is due or the next lease ends; null when there is neither, negative when it is overdue. For workers that sleep until then.';

grant execute on function fairclaim.next_due() to fairclaim_worker;
