-- The first 16 hex digits of ids made now: 48 bits of milliseconds, the version, 12 bits of the fraction (uuid v7).
-- Beyond the last range the id is taken at that range's end, so that a dispatch never fails because no worker ran for
-- a month; created_at stays true. range_end lags, so only a time beyond it looks at the table.
create or replace function fairclaim.id_prefix(p_now timestamptz) returns text
language plpgsql volatile
as $$
declare
  v_us bigint := (extract(epoch from p_now) * 1000000)::bigint;
  v_end bigint;
begin
  if v_us / 1000 >= (select s.last_value from fairclaim.range_end s) then
    select fairclaim.millis(max(r.ends_at)) * 1000 into v_end from fairclaim.id_range r;
    v_us := least(v_us, v_end - 1);
  end if;
  return lpad(to_hex(v_us / 1000), 12, '0') || to_hex(28672 + ((v_us % 1000) * 4096) / 1000);
end
$$;

comment on function fairclaim.id_prefix(timestamptz) is
'The first 16 hex digits of the ids (uuid v7) of jobs dispatched at this time.';
