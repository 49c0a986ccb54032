-- Makes each table standalone, with row security, and then attaches it: `partition of` would wait
-- for open transactions.
create or replace function fairclaim_internal.make_range(p_from timestamptz, p_to timestamptz)
returns void
language plpgsql
as $$
declare
  v_table text;
  v_part text;
begin
  foreach v_table in array array['job', 'finished', 'attempt_error'] loop
    v_part := range_name(v_table, p_from);
    execute format(
      'create table fairclaim_internal.%I (like fairclaim_internal.%I including all)',
      v_part, v_table);
    perform secure_table(v_part);
    execute format(
      'alter table fairclaim_internal.%I attach partition fairclaim_internal.%I '
        'for values from (%L) to (%L)',
      v_table, v_part, id_at(millis(p_from)), id_at(millis(p_to)));
  end loop;
  insert into id_range (starts_at, ends_at) values (p_from, p_to);
end
$$;

comment on function fairclaim_internal.make_range(timestamptz, timestamptz) is
'Makes one range of ids: a partition of job, of finished and of attempt_error.';
