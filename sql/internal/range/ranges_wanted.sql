-- Whether ranges ahead have to be made, or the two sequences do not say what is committed. Reads
-- id_range, a few dozen rows.
create or replace function fairclaim_internal.ranges_wanted(p_now timestamptz) returns boolean
language sql stable
as $$
  select not exists (
    select from fairclaim_internal.range_block(p_now) block
     where block.ends_at >= p_now + 2 * fairclaim_internal.range_width()
       and fairclaim_internal.millis(block.starts_at)
             = coalesce(pg_sequence_last_value('fairclaim_internal.range_start'), 0)
       and fairclaim_internal.millis(block.ends_at)
             = coalesce(pg_sequence_last_value('fairclaim_internal.range_end'), 0))
$$;

comment on function fairclaim_internal.ranges_wanted(timestamptz) is
'Whether make_ranges has something to do.';
