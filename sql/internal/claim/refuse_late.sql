-- A claim that had to wait (for a lock on a whole table, for a machine that stood still) until the lease it would give is over: nobody can
-- use it, and most likely nobody waits for it any more. Raised, so that its jobs stay where they are; 55P03 is what clients repeat.
create or replace function fairclaim_internal.refuse_late(p_expires timestamptz) returns void
language plpgsql
as $$
begin
  if fairclaim.clock() >= p_expires then
    raise exception 'the claim took longer than the lease that it would have given' using errcode = '55P03',
      hint = 'repeat it; if it happens again, look in pg_locks for who locks a table of fairclaim for long';
  end if;
end
$$;

comment on function fairclaim_internal.refuse_late(timestamptz) is
'Raises 55P03 when the lease that a claim would give is over already.';
