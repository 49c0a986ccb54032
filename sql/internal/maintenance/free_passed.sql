-- Ticks that were passed and whose transactions have ended since (see take_guard). Rows below the floors that such a one moved in
-- shared lanes are noted for renewal, now, and when those who are open now have ended; lanes that it closed count as closed from this tick
-- on. Runs after mark_holders of the same tick, so that whoever it passed has ended or is known.
create or replace function fairclaim_internal.free_passed(inout p_state fairclaim_internal.tick_state)
language plpgsql
as $$
declare
  v_free smallint[];
begin
  if p_state.passed_slot = '{}' then
    return;
  end if;
  v_free := array(select u.slot from unnest(p_state.passed_slot) u(slot) where u.slot not in (select w.slot from ticks_at_work() w));
  if v_free = '{}' then
    return;
  end if;
  perform note_below((
    select min(u.safe) from unnest(p_state.passed_slot, p_state.passed_safe) u(slot, safe) where u.slot = any (v_free)), false);
  p_state.holder_passed := array_fill(true, array[cardinality(p_state.holders)]);
  update lane l set drained = p_state.n
   where l.ctid = any (array(
     select z.ctid from lane z
       join unnest(p_state.passed_slot, p_state.passed_from, p_state.passed_to) u(slot, a, b)
         on u.slot = any (v_free) and z.drained > u.a and z.drained < u.b
        for update of z skip locked));
  if exists (select from lane l
               join unnest(p_state.passed_slot, p_state.passed_from, p_state.passed_to) u(slot, a, b)
                 on u.slot = any (v_free) and l.drained > u.a and l.drained < u.b) then
    return;                                   -- another one that was passed holds such a lane: the next tick tries again
  end if;
  select coalesce(array_agg(u.slot), '{}'), coalesce(array_agg(u.a), '{}'), coalesce(array_agg(u.b), '{}'), coalesce(array_agg(u.s), '{}')
    into p_state.passed_slot, p_state.passed_from, p_state.passed_to, p_state.passed_safe
    from unnest(p_state.passed_slot, p_state.passed_from, p_state.passed_to, p_state.passed_safe) u(slot, a, b, s)
   where u.slot <> all (v_free);
end
$$;

comment on function fairclaim_internal.free_passed(fairclaim_internal.tick_state) is
'Puts right what a tick left that was passed and has ended late.';
