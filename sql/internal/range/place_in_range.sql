-- For a time in no range: the last moment of the range before it, or the first moment of all
-- ranges. Reads id_range, a few dozen rows.
create or replace function fairclaim_internal.place_in_range(p_us bigint) returns bigint
language sql stable
as $$
  select case
    when exists (
      select from fairclaim_internal.id_range
       where p_us >= fairclaim_internal.millis(id_range.starts_at) * 1000
         and p_us < fairclaim_internal.millis(id_range.ends_at) * 1000) then p_us
    else coalesce(
      (select max(fairclaim_internal.millis(id_range.ends_at)) * 1000 - 1
         from fairclaim_internal.id_range
        where fairclaim_internal.millis(id_range.ends_at) * 1000 <= p_us),
      (select min(fairclaim_internal.millis(id_range.starts_at)) * 1000
         from fairclaim_internal.id_range),
      p_us) end
$$;

comment on function fairclaim_internal.place_in_range(bigint) is
'A time in microseconds, moved into the nearest range of ids when it lies in none.';
