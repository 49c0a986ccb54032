-- Each table is made standalone, with row security, and then attached: `partition of` would wait for open transactions.
create or replace function fairclaim.make_range(p_from timestamptz, p_to timestamptz) returns void
language plpgsql
as $$
declare
  v_table text;
  v_part text;
begin
  foreach v_table in array array['job', 'finished', 'attempt_error'] loop
    v_part := v_table || to_char(p_from at time zone 'UTC', '_YYYYMMDD_HH24MI');
    execute format('create table fairclaim.%I (like fairclaim.%I including all)', v_part, v_table);
    perform fairclaim.secure_table(v_part);
    execute format('alter table fairclaim.%I attach partition fairclaim.%I for values from (%L) to (%L)', v_table, v_part,
      fairclaim.id_at(fairclaim.millis(p_from)), fairclaim.id_at(fairclaim.millis(p_to)));
  end loop;
  insert into fairclaim.id_range (starts_at, ends_at) values (p_from, p_to);
end
$$;

comment on function fairclaim.make_range(timestamptz, timestamptz) is 'Makes one range of ids: a partition of job, of finished and of attempt_error.';
