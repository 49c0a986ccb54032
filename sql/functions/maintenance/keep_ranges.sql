-- Ranges of ids well ahead of the time. The sequence range_end follows what is committed; ranges made here are not yet.
create or replace function fairclaim.keep_ranges(p_now timestamptz) returns int
language plpgsql
as $$
declare
  v_width interval := (select greatest(interval '1 hour', s.retention / 4) from fairclaim.setting s);
  v_ends_at timestamptz := (select max(i.ends_at) from fairclaim.id_range i);
begin
  if (select s.last_value from fairclaim.range_end s) <> fairclaim.millis(v_ends_at) then
    perform setval('fairclaim.range_end', fairclaim.millis(v_ends_at));
  end if;
  if v_ends_at is null or v_ends_at < p_now + 2 * v_width then
    return fairclaim.make_ranges(p_now + 3 * v_width);
  end if;
  return 0;
end
$$;

comment on function fairclaim.keep_ranges(timestamptz) is 'Makes ranges of ids ahead. Returns how many.';
