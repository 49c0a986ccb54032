-- Called by whoever changes a limit: the tick after it wakes the workers that sleep, since jobs may
-- have been waiting for it. Nobody else would: nothing is dispatched then.
create or replace function fairclaim_internal.note_limits(p_now timestamptz) returns void
language plpgsql
as $$
begin
  insert into limit_note default values;
  if coalesce(pg_sequence_last_value('look_by'), 0) > millis(p_now) then
    perform wake_before(p_now, p_now);
  end if;
end
$$;

comment on function fairclaim_internal.note_limits(timestamptz) is
'Tells the next tick that limits have changed.';
