-- The first 16 hex digits of ids made now: 48 bits of milliseconds, the version, 12 bits of the
-- fraction (uuid v7). For a time beyond the last range the id is made for that range's end, and
-- before the first for its start, so that a dispatch never fails because no worker ran for a month
-- or because the clock was wrong; created_at stays true. The two sequences lag, and say 0 after a
-- crash, so only a time outside of them looks at the table.
create or replace function fairclaim_internal.id_prefix(p_now timestamptz) returns text
language plpgsql volatile
as $$
declare
  v_us bigint := (extract(epoch from p_now) * 1000000)::bigint;
begin
  if v_us / 1000 >= coalesce(pg_sequence_last_value('range_end'), 0)
     or v_us / 1000 < coalesce(pg_sequence_last_value('range_start'), 0) then
    v_us := place_in_range(v_us);
  end if;
  return lpad(to_hex(v_us / 1000), 12, '0') || to_hex(28672 + ((v_us % 1000) * 4096) / 1000);
end
$$;

comment on function fairclaim_internal.id_prefix(timestamptz) is
'The first 16 hex digits of the ids (uuid v7) of jobs dispatched at this time.';
