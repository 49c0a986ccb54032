-- When the next tick is wanted: at once when something was left over, at the time of the next job
-- or lease or when a rate lets a job go, every second while jobs wait or lanes come and go, and
-- else after half a minute. Of leases only the next look at them is known, which is 5 s after the
-- last. A job that is due and still there is locked by another transaction. `running` is small: a
-- sequential scan is the cheapest look.
create or replace function fairclaim_internal.next_look(
  p_state fairclaim_internal.tick_state,
  p_now timestamptz
) returns interval
language plpgsql
set enable_seqscan = on
as $$
declare
  v_due timestamptz := (
    select min(scheduled.run_at) from scheduled where scheduled.run_at >= p_state.sched_floor);
  v_pause interval := interval '30 s';
  v_rate bigint := coalesce(pg_sequence_last_value('rate_at'), 0) - millis(p_now);
begin
  if p_state.left_over then
    return interval '20 ms';
  end if;
  if v_due <= p_now or not is_quiet(p_state, p_now) then
    v_pause := interval '1 s';
  elsif exists (select from running) then
    v_pause := least(interval '5 s',
      greatest(interval '1 s', p_state.reaped_at + interval '5.01 s' - p_now));
  end if;
  return least(v_pause, case when v_due > p_now then greatest(interval '20 ms', v_due - p_now) end,
    case when v_rate > 0 then greatest(interval '20 ms', v_rate * interval '1 ms') end);
exception
  when lock_not_available then return interval '1 s';
end
$$;

comment on function fairclaim_internal.next_look(fairclaim_internal.tick_state, timestamptz) is
'In how long the next tick is wanted.';
