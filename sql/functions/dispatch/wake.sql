-- Notifies only if some worker was idle within the last second or so and nothing was sent in the last few milliseconds:
-- committing notifiers take turns on one database-wide lock. A missed wake costs a poll, never a job. A transaction that is
-- to be prepared (two-phase commit) may not notify: set fairclaim.notify to off in it.
create or replace function fairclaim.wake(p_now timestamptz) returns void
language plpgsql
as $$
declare
  v_ms bigint := fairclaim.millis(p_now);
begin
  if (select s.last_value from fairclaim.idle_at s) between v_ms - 1500 and v_ms + 1500
     and (select s.last_value from fairclaim.notified_at s) not between v_ms - 4 and v_ms
     and current_setting('fairclaim.notify', true) is distinct from 'off' then
    perform setval('fairclaim.notified_at', v_ms);
    perform pg_notify('fairclaim', '');
  end if;
end
$$;

comment on function fairclaim.wake(timestamptz) is 'Wakes idle workers (NOTIFY fairclaim, without a payload), seldom.';
