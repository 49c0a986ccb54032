-- Until when nothing has to be done if nobody does anything: now, while own lanes are there, while lanes are drained, and while others hold the lock on
-- `ready` or a tick was passed; else until a shared lane has been unused for an hour, and for ten minutes at most.
create or replace function fairclaim_internal.quiet_until(p_state fairclaim_internal.tick_state, p_waiting boolean) returns timestamptz
language plpgsql
as $$
begin
  if p_waiting or p_state.holders <> '{}' or p_state.passed_slot <> '{}' or p_state.mended is not null
     or exists (select from lane l where l.tenant_id is not null) then
    return p_state.at;
  end if;
  return (select case when coalesce(bool_or(l.drained is not null), false) then p_state.at
                      else least(p_state.at + interval '10 minutes', min(l.used_at) + interval '1 hour') end
            from lane l where l.tenant_id is null);
end
$$;

comment on function fairclaim_internal.quiet_until(fairclaim_internal.tick_state, boolean) is
'Until when there is nothing to do if nobody does anything.';
