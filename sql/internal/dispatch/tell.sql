-- The one place that notifies. Committing notifiers take turns on one lock of the whole database,
-- and a full queue of notifications (any login may fill it) fails the commit of a transaction that
-- adds to it: so nothing is added when it is half full. A transaction that is to be prepared may
-- not notify: it sets fairclaim.notify to off; in a two-phase commit of Citus its workers do that
-- for a transaction that cannot know. A word is told once in a transaction: the setting
-- fairclaim.told ends with the transaction, and with a savepoint that is rolled back.
create or replace function fairclaim_internal.tell(p_word text) returns boolean
language plpgsql
as $$
declare
  v_told text := coalesce(current_setting('fairclaim.told', true), '');
begin
  if current_setting('fairclaim.notify', true) is not distinct from 'off'
     or strpos(v_told, '<' || p_word || '>') > 0
     or current_setting('application_name') like 'citus_internal%'
     or pg_notification_queue_usage() >= 0.5 then
    return false;
  end if;
  perform set_config('fairclaim.told', v_told || '<' || p_word || '>', true);
  perform pg_notify('fairclaim', p_word);
  return true;
end
$$;

comment on function fairclaim_internal.tell(text) is
'NOTIFY fairclaim with a word that names no job: empty (jobs wait), due (something is due sooner than workers may know) or cancel (a job is to be stopped). False where it may not.';
