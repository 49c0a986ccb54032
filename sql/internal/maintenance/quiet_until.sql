-- Until when there is nothing to do if no caller does anything. That is now while jobs wait, while
-- own lanes are there, while lanes are drained, and while other transactions hold the lock on
-- `ready` or a tick was passed. Otherwise it is when a shared lane has been unused for an hour, and
-- at most in ten minutes.
create or replace function fairclaim_internal.quiet_until(
  p_state fairclaim_internal.tick_state,
  p_waiting boolean
) returns timestamptz
language plpgsql
as $$
begin
  if p_waiting or p_state.holders <> '{}' or p_state.passed_slot <> '{}'
     or p_state.mended is not null
     or exists (select from lane where lane.tenant_id is not null) then
    return p_state.at;
  end if;
  return (
    select case when coalesce(bool_or(lane.drained is not null), false) then p_state.at
                else least(p_state.at + interval '10 minutes',
                           min(lane.used_at) + interval '1 hour') end
      from lane where lane.tenant_id is null);
end
$$;

comment on function fairclaim_internal.quiet_until(fairclaim_internal.tick_state, boolean) is
'Until when there is nothing to do if no caller does anything.';
