-- For what will be due while all workers sleep: a delayed job, a lease. Each worker that hears it
-- ticks, learns of it and sleeps until then. None needs to be told when all will tick before
-- (`look_by`), or when none listens. As seldom as wake(). A worker that asks when to tick is told
-- of it in any case.
--
-- Callers ask first, in one expression:
--   coalesce(pg_sequence_last_value('look_by'), 0) > millis(p_due)
create or replace function fairclaim_internal.wake_before(p_now timestamptz, p_due timestamptz)
returns void
language plpgsql
as $$
declare
  v_ms bigint := millis(p_now);
  v_last bigint := coalesce(pg_sequence_last_value('notified_at'), 0);
begin
  if coalesce(pg_sequence_last_value('tick_at'), 0) > millis(p_due) then
    perform setval('tick_at', greatest(v_ms, millis(p_due)));
  end if;
  if coalesce(pg_sequence_last_value('look_by'), 0) > millis(p_due)
     and coalesce(pg_sequence_last_value('asleep_until'), 0) > v_ms
     and v_last not between v_ms + 100 and v_ms + 1000
     and tell('due') then
    perform setval('notified_at',
      4 + case when v_last between v_ms and v_ms + 100 then v_last else v_ms end);
  end if;
end
$$;

comment on function fairclaim_internal.wake_before(timestamptz, timestamptz) is
'Tells idle workers that something is due before they all tick again (NOTIFY fairclaim, with the payload due).';
