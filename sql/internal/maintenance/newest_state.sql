-- The state that the last tick left: of all rows the one with the highest number. A tick that was
-- passed may commit later, with a lower number, and is not looked at.
create or replace function fairclaim_internal.newest_state() returns fairclaim_internal.tick_state
language sql stable
as $$
  select tick_state from fairclaim_internal.tick_state order by tick_state.n desc limit 1
$$;

comment on function fairclaim_internal.newest_state() is
'The state of maintenance, as the last tick left it.';
