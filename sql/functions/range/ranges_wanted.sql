-- Whether ranges ahead have to be made, or the two sequences do not say what is committed. Reads id_range, a few dozen rows.
create or replace function fairclaim.ranges_wanted(p_now timestamptz) returns boolean
language sql stable
as $$
  select not exists (
    select from fairclaim.range_block(p_now) b
     where b.ends_at >= p_now + 2 * fairclaim.range_width()
       and fairclaim.millis(b.starts_at) = coalesce(pg_sequence_last_value('fairclaim.range_start'), 0)
       and fairclaim.millis(b.ends_at) = coalesce(pg_sequence_last_value('fairclaim.range_end'), 0))
$$;

comment on function fairclaim.ranges_wanted(timestamptz) is 'Whether make_ranges has something to do.';
