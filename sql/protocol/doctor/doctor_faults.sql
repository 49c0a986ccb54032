-- Steps of tick that fail, with the jobs at which they do, at most 10 of each: ids only.
create or replace function fairclaim.doctor_faults() returns table (
  step text, since timestamptz, last_at timestamptz, sqlstate text, times bigint, note text, passed uuid[]
)
language sql stable security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$
  select f.step, f.since, f.last_at, f.sqlstate, f.times, f.note, f.passed[1:10] from tick_fault f order by f.step
$$;

comment on function fairclaim.doctor_faults() is
'The steps of tick that fail, since when and with what, and the jobs that they pass over, for `fairclaim doctor`. For operators and observers.';

grant execute on function fairclaim.doctor_faults() to fairclaim_operator, fairclaim_observer;
