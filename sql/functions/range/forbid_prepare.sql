-- A transaction that holds everybody's tables must not be prepared: it would hold them until somebody remembers it. PREPARE refuses one
-- that has made a temporary object, even if that is gone; a notification would do too, but its commit fails when any login has filled
-- the queue of notifications, and waits for other commits that notify, with these locks. So it is only for a database in which the
-- owner may make nothing temporary, and never when that queue is half full (see tell).
create or replace function fairclaim.forbid_prepare() returns boolean
language plpgsql
as $$
declare
  v_type text := 'fairclaim_' || replace(gen_random_uuid()::text, '-', '');
begin
  if current_setting('max_prepared_transactions')::int = 0 then
    return true;                              -- nobody can prepare anything here
  elsif has_database_privilege(current_database(), 'temporary') then
    execute format('create type pg_temp.%I as ()', v_type);      -- without a file, and with few rows in the catalog
    execute format('drop type pg_temp.%I', v_type);
    return true;
  elsif pg_notification_queue_usage() >= 0.5 then
    return false;
  end if;
  notify fairclaim_range;                     -- nobody listens
  return true;
end
$$;

comment on function fairclaim.forbid_prepare() is 'Makes this transaction one that cannot be prepared. False where that cannot be done now.';
