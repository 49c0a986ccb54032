-- A claim may have to wait until the lease that it would give is over: for a lock on a whole table,
-- or on a machine that stood still. No worker can use such a lease, and most likely none waits for
-- it any more. This is raised, so that the jobs stay where they are; 55P03 is what clients repeat.
create or replace function fairclaim_internal.refuse_late(p_expires timestamptz) returns void
language plpgsql
as $$
begin
  if fairclaim.clock() >= p_expires then
    raise exception 'the claim took longer than the lease that it would have given'
      using errcode = '55P03',
            hint = 'repeat it; if it happens again, look in pg_locks for who locks a table of '
              'fairclaim for long';
  end if;
end
$$;

comment on function fairclaim_internal.refuse_late(timestamptz) is
'Raises 55P03 when the lease that a claim would give is over already.';
