-- Whether there is nothing to do but what has a known time (due jobs, leases, ranges of ids):
-- nothing went into `ready` since the last tick that left nothing over, and no note was left. It
-- reads a handful of small indexes and writes nothing, so that ticks of an idle fleet cost no WAL.
create or replace function fairclaim_internal.is_quiet(
  p_state fairclaim_internal.tick_state,
  p_now timestamptz
) returns boolean
language plpgsql
as $$
begin
  return p_now >= p_state.at and p_now < p_state.quiet_until and not p_state.left_over
     and coalesce(pg_sequence_last_value('ready_seq'), 0) = p_state.mark
     and not exists (select from floor_hint)
     and not exists (select from renewal)
     and not exists (select from cancel_request)
     and not exists (select from running_limit bound where not bound.active)
     and not exists (select from limit_note)
     and not exists (select from at_limit where not at_limit.is_stable)
     and not exists (select from tenant_note)
     and not exists (select from weight_note)
     and not exists (select from bound where bound.until <= p_now)
     and not (exists (select from waiting_limit bound where bound.subject <> 'drain') and exists (
                select from scheduled
                 where scheduled.id > (select quota_place.fresh from quota_place)))
     and not exists (
           select from key_note
            where key_note.note_id > coalesce(pg_sequence_last_value('key_floor'), 0))
     and not exists (select from tick_fault);
exception
  when lock_not_available then return false;  -- the step that needs the table will tell
end
$$;

comment on function fairclaim_internal.is_quiet(fairclaim_internal.tick_state, timestamptz) is
'Whether maintenance has nothing to do but what has a known time.';
