-- Run times of an hour ago say little, and tenants come and go. Locks rows of tenant_time, and
-- passes over locked ones.
create or replace function fairclaim_internal.forget_times(
  p_at timestamptz,
  p_size int
) returns int
language plpgsql
set enable_seqscan = on
as $$
declare
  v_gone int;
begin
  delete from tenant_time
   where tenant_time.ctid = any (array(
     select old.ctid from tenant_time old
      where old.at < p_at - interval '1 hour' or old.at > p_at + interval '1 hour'
      limit p_size for update skip locked));
  get diagnostics v_gone = row_count;
  return v_gone;
end
$$;

comment on function fairclaim_internal.forget_times(timestamptz, int) is
'Forgets run times that are an hour old. Returns how many.';
