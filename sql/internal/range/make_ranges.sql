-- Makes ranges ahead of the clock, and never farther than three widths from it, whatever the caller
-- asks for: a clock that runs years ahead for a while leaves a few ranges there, and when it is
-- back the ranges around it go on where they ended. So ranges are added behind those around the
-- clock, up to the next that is there already. Without one around the clock, a new one begins a
-- little before it. Bounded: at most 16 ranges a call. A lock that is not free within 100 ms leaves
-- it to the next call.
create or replace function fairclaim_internal.make_ranges(p_until timestamptz) returns int
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set lock_timeout = '100ms'
set default_tablespace = ''
set timezone = 'UTC'
as $$
declare
  v_now timestamptz := fairclaim.clock();
  v_until timestamptz := least(p_until, v_now + 3 * range_width());
  v_from timestamptz;
  v_made int := 0;
begin
  perform note_ranges(v_now);                 -- these are committed; those made below are not yet
  while v_made < 16 loop
    select block.ends_at into v_from from range_block(v_now) block;
    exit when v_from > v_until;
    if v_from is null then
      select greatest(
               max(id_range.ends_at),
               date_trunc('hour', v_now) - least(interval '1 day', range_width()))
        into v_from
        from id_range where id_range.ends_at <= v_now;
    end if;
    perform make_range(v_from, least(
      v_from + range_width((select count(*) from id_range)),
      (select min(id_range.starts_at) from id_range where id_range.starts_at > v_from)));
    v_made := v_made + 1;
  end loop;
  return v_made;
exception
  when lock_not_available then return 0;
end
$$;

comment on function fairclaim_internal.make_ranges(timestamptz) is
'Makes the ranges of ids (partitions of job, finished, attempt_error) from the clock up to a time, at most three widths ahead, and notes how far they reach. Called by tick and by the migration.';
