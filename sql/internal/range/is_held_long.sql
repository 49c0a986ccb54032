-- A request for an exclusive lock makes all sessions wait that come later. So there is none while a
-- transaction holds one of the tables that will not end at once: one that is there in two looks 20
-- ms apart. Reads pg_locks twice, and takes no lock.
create or replace function fairclaim_internal.is_held_long() returns boolean
language plpgsql volatile
as $$
declare
  v_tables oid[] :=
    array['job'::regclass, 'finished'::regclass, 'attempt_error'::regclass]::oid[];
  v_names text[];
begin
  for v_look in 1 .. 2 loop
    v_names := array(
      select distinct pg_locks.virtualtransaction from pg_catalog.pg_locks
       where pg_locks.locktype = 'relation' and pg_locks.relation = any (v_tables)
         and pg_locks.pid is distinct from pg_backend_pid()
         and pg_locks.database = (
               select pg_database.oid from pg_catalog.pg_database
                where pg_database.datname = current_database())
         and (v_look = 1 or pg_locks.virtualtransaction = any (v_names)));
    exit when v_names = '{}';
    if v_look = 1 then
      perform pg_sleep(0.02);
    end if;
  end loop;
  return v_names <> '{}';
end
$$;

comment on function fairclaim_internal.is_held_long() is
'Whether a transaction has held one of job, finished, attempt_error for longer than 20 ms.';
