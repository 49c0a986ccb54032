-- The state that this tick leaves, in the row of its own that nobody else writes.
create or replace function fairclaim_internal.keep_state(p_state fairclaim_internal.tick_state) returns void
language sql volatile
as $$
  insert into fairclaim_internal.tick_state as t
  select (p_state).*
  on conflict (slot) do update
     set (n, mark, safe, shared_safe, holders, holder_n, holder_mark, slice, shared_slice, sweep, hint, sched_floor, reaped_at, at, worked_by,
          prev, oldest, holder_at, holder_passed, passed_slot, passed_from, passed_to, passed_safe, left_over, quiet_until, mended, mended_at,
          limits)
       = (excluded.n, excluded.mark, excluded.safe, excluded.shared_safe, excluded.holders, excluded.holder_n, excluded.holder_mark,
          excluded.slice, excluded.shared_slice, excluded.sweep, excluded.hint, excluded.sched_floor, excluded.reaped_at, excluded.at,
          excluded.worked_by, excluded.prev, excluded.oldest, excluded.holder_at, excluded.holder_passed, excluded.passed_slot,
          excluded.passed_from, excluded.passed_to, excluded.passed_safe, excluded.left_over, excluded.quiet_until, excluded.mended,
          excluded.mended_at, excluded.limits)
$$;

comment on function fairclaim_internal.keep_state(fairclaim_internal.tick_state) is 'Keeps the state of maintenance.';
