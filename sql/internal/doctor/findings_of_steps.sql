-- Steps of tick that fail, each with at most ten ids of the jobs at which it does.
create or replace function fairclaim_internal.findings_of_steps()
returns table (level text, name text, seen text, advice text)
language sql volatile
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$
  select case when count(*) = 0 then 'ok' else 'warning' end, 'tick_steps',
         coalesce('steps of tick fail: ' || string_agg(
           format('%s, for %s, SQLSTATE %s: %s%s', fault.step,
                  span(extract(epoch from fairclaim.clock() - fault.since)::float8),
                  fault.sqlstate, fault.note,
                  '; it passes over the jobs '
                  || nullif(array_to_string(fault.passed[1:10], ', '), '')),
           ' / ' order by fault.step), 'none fails'),
         case when count(*) > 0
              then 'take away what refuses it: a trigger, a lock, a short statement_timeout. The '
                   || 'other steps go on, and this one is tried again by every tick' end
    from tick_fault fault
$$;

comment on function fairclaim_internal.findings_of_steps() is
'Finds steps of tick that fail: since when, with what, and at which jobs.';
