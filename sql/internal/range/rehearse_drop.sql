-- Whether a range may be dropped now. It is asked before the exclusive locks are, which are on
-- tables that all sessions use.
--
-- The transaction must not be prepared: it would hold those locks until an operator remembers it.
-- PREPARE refuses a transaction that has made a temporary object, even if that is gone. A
-- notification would do too, but its commit fails when any login has filled the queue of
-- notifications, and waits for other commits that notify, with these locks. So a notification is
-- only for a database in which the owner may make nothing temporary, and never when that queue is
-- half full (see tell).
--
-- And where event triggers take long over a table that is of no use to any session, they would take
-- long over this one, with these locks.
create or replace function fairclaim_internal.rehearse_drop() returns boolean
language plpgsql
as $$
declare
  v_name text := 'fairclaim_' || replace(gen_random_uuid()::text, '-', '');
  v_triggers text := event_triggers();
  v_prepares boolean := current_setting('max_prepared_transactions')::int > 0;
  v_began timestamptz := fairclaim.clock();
begin
  if v_triggers is null and not v_prepares then
    return true;
  elsif has_database_privilege(current_database(), 'temporary') then
    execute format('create temporary table %I ()', v_name);
    execute format('drop table pg_temp.%I', v_name);
    if v_triggers is not null and fairclaim.clock() > v_began + interval '250 ms' then
      raise warning 'fairclaim: no range of ids is dropped, since event triggers (%) take too long',
          v_triggers
        using hint = 'make them faster, or let them pass over the schema fairclaim; '
          'prune() deletes the rows meanwhile';
      return false;
    end if;
    return true;
  elsif v_prepares and pg_notification_queue_usage() >= 0.5 then
    return false;
  elsif v_prepares then
    notify fairclaim_range;                   -- no client listens
  end if;
  return true;
end
$$;

comment on function fairclaim_internal.rehearse_drop() is
'Whether a range may be dropped now: makes this transaction one that cannot be prepared, and drops a temporary table to see whether event triggers take long.';
