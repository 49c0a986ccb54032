-- The one source of time. Tests replace it (sql/testing/clock.sql); nothing else reads a clock.
create or replace function fairclaim.clock() returns timestamptz
language sql volatile parallel safe
as $$ select pg_catalog.clock_timestamp() $$;

comment on function fairclaim.clock() is
'The time of the queue: the clock of the database, read once per call.';

grant execute on function fairclaim.clock()
  to fairclaim_worker, fairclaim_producer, fairclaim_tenant, fairclaim_operator,
     fairclaim_auditor, fairclaim_observer;
