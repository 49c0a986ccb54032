-- Whether this tick has something to do. Between two looks at everything that is only what is due
-- or was left over. `running` is small, and a plain scan of it the cheapest look: sequential scans
-- are on.
create or replace function fairclaim_internal.is_wanted(
  p_state fairclaim_internal.tick_state,
  p_now timestamptz,
  p_round boolean
) returns boolean
language plpgsql
set enable_seqscan = on
as $$
begin
  if p_state.left_over
     or exists (select from scheduled
                 where scheduled.run_at >= p_state.sched_floor and scheduled.run_at <= p_now) then
    return true;
  end if;
  return p_round and (
    not is_quiet(p_state, p_now)
    or not (p_state.reaped_at >= p_now - interval '5 s' and p_state.reaped_at <= p_now)
       and exists (select from running)
    or coalesce(pg_sequence_last_value('stats_owed'), 0) = 1 and stats_due(p_now)
    or ranges_wanted(p_now));
exception
  when lock_not_available then return p_round;
end
$$;

comment on function fairclaim_internal.is_wanted(fairclaim_internal.tick_state,
    timestamptz, boolean) is
'Whether a tick has something to do now.';
