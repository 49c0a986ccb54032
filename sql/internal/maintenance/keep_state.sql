-- Writes the state that this tick leaves into its own row, which no other tick writes. It is in
-- plpgsql, since a function in the language SQL would be planned again at every tick.
create or replace function fairclaim_internal.keep_state(p_state fairclaim_internal.tick_state)
returns void
language plpgsql
as $$
begin
  insert into tick_state (
    slot, n, at, worked_by, prev, marked, oldest, mark, safe, shared_safe, holders, holder_n,
    holder_mark, holder_at, holder_passed, passed_slot, passed_from, passed_to, passed_safe,
    slice, shared_slice, sweep, hint, sched_floor, reaped_at, left_over, quiet_until, mended,
    mended_at, limit_slice)
  select p_state.slot, p_state.n, p_state.at, p_state.worked_by, p_state.prev,
         p_state.marked, p_state.oldest, p_state.mark, p_state.safe, p_state.shared_safe,
         p_state.holders, p_state.holder_n, p_state.holder_mark, p_state.holder_at,
         p_state.holder_passed, p_state.passed_slot, p_state.passed_from,
         p_state.passed_to, p_state.passed_safe, p_state.slice, p_state.shared_slice,
         p_state.sweep, p_state.hint, p_state.sched_floor, p_state.reaped_at,
         p_state.left_over, p_state.quiet_until, p_state.mended, p_state.mended_at,
         p_state.limit_slice
  on conflict (slot) do update
     set (n, at, worked_by, prev, marked, oldest, mark, safe, shared_safe, holders, holder_n,
          holder_mark, holder_at, holder_passed, passed_slot, passed_from, passed_to,
          passed_safe, slice, shared_slice, sweep, hint, sched_floor, reaped_at, left_over,
          quiet_until, mended, mended_at, limit_slice)
       = (excluded.n, excluded.at, excluded.worked_by, excluded.prev, excluded.marked,
          excluded.oldest, excluded.mark, excluded.safe, excluded.shared_safe, excluded.holders,
          excluded.holder_n, excluded.holder_mark, excluded.holder_at, excluded.holder_passed,
          excluded.passed_slot, excluded.passed_from, excluded.passed_to, excluded.passed_safe,
          excluded.slice, excluded.shared_slice, excluded.sweep, excluded.hint,
          excluded.sched_floor, excluded.reaped_at, excluded.left_over, excluded.quiet_until,
          excluded.mended, excluded.mended_at, excluded.limit_slice);
end
$$;

comment on function fairclaim_internal.keep_state(fairclaim_internal.tick_state) is
'Keeps the state of maintenance.';
