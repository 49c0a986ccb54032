-- Notifies only while some worker is asleep; workers have said until when (note_idle). It notifies
-- at most 250 times a second, after a burst of 25: `notified_at` runs ahead of the clock by 4 ms
-- for each. A worker counts what it hears by the same rule, and polls where a notification may have
-- been left out. A dispatch that commits long after this look is found by the polls of a worker
-- that has only now gone to sleep: they are as far apart as it has been asleep. So a missed wake
-- costs a poll, never a job.
--
-- Callers ask first, in one expression:
--   coalesce(pg_sequence_last_value('asleep_until'), 0) > millis(v_now)
create or replace function fairclaim_internal.wake(p_now timestamptz) returns void
language plpgsql
as $$
declare
  v_ms bigint := millis(p_now);
  v_last bigint := coalesce(pg_sequence_last_value('notified_at'), 0);
begin
  if coalesce(pg_sequence_last_value('asleep_until'), 0) > v_ms
     and v_last not between v_ms + 100 and v_ms + 1000
     and tell('') then
    perform setval('notified_at',
      4 + case when v_last between v_ms and v_ms + 100 then v_last else v_ms end);
  end if;
end
$$;

comment on function fairclaim_internal.wake(timestamptz) is
'Wakes idle workers (NOTIFY fairclaim, without a payload), seldom.';
