-- For jobs that run: workers that hear it ask at once which jobs to stop, and need not wait for
-- their heartbeat. Busy workers hear it too, so it is not asked whether one is asleep. As seldom as
-- wake(); a wish that was left out is found by the heartbeat. The next answers of settle_and_claim
-- look for the wish as well.
create or replace function fairclaim_internal.wake_cancel(p_now timestamptz) returns void
language plpgsql
as $$
declare
  v_ms bigint := millis(p_now);
  v_last bigint := coalesce(pg_sequence_last_value('notified_at'), 0);
begin
  perform setval('wished_at', greatest(0, v_ms));
  if v_last not between v_ms + 100 and v_ms + 1000 and tell('cancel') then
    perform setval('notified_at',
      4 + case when v_last between v_ms and v_ms + 100 then v_last else v_ms end);
  end if;
end
$$;

comment on function fairclaim_internal.wake_cancel(timestamptz) is
'Tells workers that a job is to be stopped (NOTIFY fairclaim, with the payload cancel), seldom.';
