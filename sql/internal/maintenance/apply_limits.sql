-- What a tick does for limits of running jobs: it puts new ones into effect, finds out who stays at
-- a limit, takes their lanes out of the walk of claims or puts them back, and moves their jobs from
-- shared lanes to own lanes. Locks rows of running_limit, of `running`, of at_limit, of lanes and
-- of `ready`, in this order and each skip locked. Nearly always there is no limit at all.
create or replace function fairclaim_internal.apply_limits(
  inout p_state fairclaim_internal.tick_state,
  p_size int,
  p_skip uuid[],
  out moved int
)
language plpgsql
as $$
declare
  v_result record;
begin
  moved := 0;
  if exists (select from limit_note) then
    delete from limit_note
     where limit_note.ctid = any (array(
       select noted.ctid from limit_note noted limit 10000 for update skip locked));
    perform wake(p_state.at);
  end if;
  if exists (select from running_limit) then
    if exists (select from running_limit where not running_limit.active) then
      if activate_limits(p_state) then
        perform wake(p_state.at);
      end if;
    end if;
    perform find_at_limit(p_state.at);
  elsif exists (select from at_limit) then
    delete from at_limit
     where at_limit.ctid = any (array(
       select past.ctid from at_limit past for update skip locked));
  end if;
  delete from rate_use                        -- what has expired says nothing any more
   where rate_use.ctid = any (array(
     select past.ctid from rate_use past
      where past.due_at < p_state.at - interval '10 s' and past.paid_until < p_state.at
      order by past.due_at limit p_size for update skip locked));
  if walk_lanes(p_state.at, p_size) then
    perform wake(p_state.at);
  end if;
  v_result := move_limited(p_state, p_size, p_skip);
  p_state := v_result.p_state;
  moved := v_result.moved;
end
$$;

comment on function fairclaim_internal.apply_limits(fairclaim_internal.tick_state, int, uuid[]) is
'Puts limits of running jobs into effect. Returns how many jobs moved from shared lanes to own lanes.';
