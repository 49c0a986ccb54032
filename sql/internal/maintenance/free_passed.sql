-- Puts right what passed ticks left whose transactions have ended since (see take_guard). Rows
-- below the floors that such a tick moved in shared lanes are noted for renewal: now, and again
-- when the transactions that are open now have ended. Lanes that it closed count as closed from
-- this tick on. It runs after mark_holders of the same tick, so that each transaction that the
-- passed tick had passed has ended or is known.
create or replace function fairclaim_internal.free_passed(
  inout p_state fairclaim_internal.tick_state
)
language plpgsql
as $$
declare
  v_free smallint[];
begin
  if p_state.passed_slot = '{}' then
    return;
  end if;
  v_free := array(
    select passed.slot from unnest(p_state.passed_slot) passed(slot)
     where passed.slot not in (select working.slot from ticks_at_work() working));
  if v_free = '{}' then
    return;
  end if;
  perform note_below((
    select min(passed.safe)
      from unnest(p_state.passed_slot, p_state.passed_safe) passed(slot, safe)
     where passed.slot = any (v_free)), false);
  p_state.holder_passed := array_fill(true, array[cardinality(p_state.holders)]);
  update lane set drained = p_state.n
   where lane.ctid = any (array(
     select closed.ctid from lane closed
       join unnest(p_state.passed_slot, p_state.passed_from, p_state.passed_to)
              passed(slot, from_n, to_n)
         on passed.slot = any (v_free)
            and closed.drained > passed.from_n and closed.drained < passed.to_n
        for update of closed skip locked));
  if exists (
       select from lane
         join unnest(p_state.passed_slot, p_state.passed_from, p_state.passed_to)
                passed(slot, from_n, to_n)
           on passed.slot = any (v_free)
              and lane.drained > passed.from_n and lane.drained < passed.to_n) then
    return;                -- another passed tick holds such a lane: the next tick tries again
  end if;
  select coalesce(array_agg(passed.slot), '{}'), coalesce(array_agg(passed.from_n), '{}'),
         coalesce(array_agg(passed.to_n), '{}'), coalesce(array_agg(passed.safe), '{}')
    into p_state.passed_slot, p_state.passed_from, p_state.passed_to, p_state.passed_safe
    from unnest(p_state.passed_slot, p_state.passed_from, p_state.passed_to, p_state.passed_safe)
           passed(slot, from_n, to_n, safe)
   where passed.slot <> all (v_free);
end
$$;

comment on function fairclaim_internal.free_passed(fairclaim_internal.tick_state) is
'Puts right what a tick left that was passed and has ended late.';
