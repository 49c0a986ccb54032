-- Locks rows of `worker`, and passes over locked ones.
create or replace function fairclaim_internal.forget_workers(p_at timestamptz, p_size int)
returns int
language plpgsql
set enable_seqscan = on
as $$
declare
  v_gone int;
begin
  delete from worker
   where worker.ctid = any (array(
     select silent.ctid from worker silent
      where silent.silent_until < p_at - interval '1 hour'
      limit p_size for update skip locked));
  get diagnostics v_gone = row_count;
  return v_gone;
end
$$;

comment on function fairclaim_internal.forget_workers(timestamptz, int) is
'Forgets workers that have been silent for an hour longer than they said. Returns how many.';
