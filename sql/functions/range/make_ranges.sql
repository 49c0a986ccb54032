-- Ranges ahead. Each is made standalone, with row security, and then attached: `partition of` would wait for open
-- transactions. Bounded: at most 16 ranges a call. A lock that is not free within 100 ms leaves it to the next call.
create or replace function fairclaim.make_ranges(p_until timestamptz) returns int
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set row_security = on
set lock_timeout = '100ms'
set default_tablespace = ''
as $$
declare
  v_width interval;
  v_from timestamptz;
  v_made int := 0;
  v_table text;
  v_part text;
begin
  select greatest(interval '1 hour', s.retention / 4) into v_width from fairclaim.setting s;
  select max(r.ends_at) into v_from from fairclaim.id_range r;
  v_from := coalesce(v_from, date_trunc('hour', fairclaim.clock()) - interval '1 day');
  while v_from <= p_until and v_made < 16 loop
    if fairclaim.clock() - v_from > 4 * v_width then                       -- nobody ticked for long: one range up to now
      v_width := greatest(v_width, date_trunc('hour', fairclaim.clock() - v_from));
    end if;
    foreach v_table in array array['job', 'finished', 'attempt_error'] loop
      v_part := v_table || to_char(v_from at time zone 'UTC', '_YYYYMMDD_HH24MI');
      execute format('create table fairclaim.%I (like fairclaim.%I including all)', v_part, v_table);
      perform fairclaim.secure_table(v_part);
      execute format('alter table fairclaim.%I attach partition fairclaim.%I for values from (%L) to (%L)', v_table, v_part,
        fairclaim.id_at(fairclaim.millis(v_from)), fairclaim.id_at(fairclaim.millis(v_from + v_width)));
    end loop;
    insert into fairclaim.id_range values (v_from, v_from + v_width);
    v_from := v_from + v_width;
    select greatest(interval '1 hour', s.retention / 4) into v_width from fairclaim.setting s;
    v_made := v_made + 1;
  end loop;
  return v_made;
exception
  when lock_not_available then return 0;
end
$$;

comment on function fairclaim.make_ranges(timestamptz) is
'Makes the ranges of ids (partitions of job, finished, attempt_error) up to a time. Called by tick and by the migration.';
