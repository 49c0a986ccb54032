-- One tick works at a time. It holds a row of tick_lock until its transaction ends, and that may be
-- never: the session that called tick may stay open, or prepare its transaction. Such a tick is
-- passed: when no tick has begun to work for 12 s, another one takes the next row, and remembers
-- the passed one in the state that it leaves.
--
-- Why nothing breaks, whatever a passed transaction does later, and although "12 s" may be wrong at
-- times:
-- * A tick locks its row, then draws its number, then looks which others are at work and reads the
--   newest state. It goes on only if no other has drawn a number since. So of any two ticks the one
--   with the higher number knows the other: either as ended, and then it sees what that one did, or
--   as passed. The state with the highest number is the one that counts, and its tick knows all
--   that matter.
-- * All others pass over the rows that a passed tick holds (skip locked). What it promoted,
--   returned or deleted was right when it did it, and stays right: no other can undo what it relied
--   on.
-- * Floors of own lanes that it moved are below a safe mark, which is true for ever. Floors of
--   shared lanes may have passed holders that only it knew as passed, and the lanes that it closed
--   are closed only from its commit on. free_passed mends both when it has ended. Until then no
--   lane is deleted that was closed under a number between that of the tick before it and that of
--   the tick that passed it.
create or replace function fairclaim_internal.take_guard(p_now timestamptz)
returns fairclaim_internal.tick_state
language plpgsql
as $$
declare
  v_state tick_state := newest_state();
  v_held smallint[] := array(select working.slot from ticks_at_work() working);
  -- read after v_held: each tick that is seen at work there has set it already
  v_last bigint := coalesce(pg_sequence_last_value('guard_at'), 0);
  v_young boolean := millis(p_now) - v_last between 0 and 12000;
  v_slot smallint;
  v_n bigint;
begin
  -- A tick that is not passed works, and one began less than 12 s ago: this one has nothing to do.
  if v_young and not v_held <@ v_state.passed_slot then
    return null;
  end if;

  -- It takes the first row that no tick holds, unless another was faster.
  select tick_lock.slot into v_slot from tick_lock
   where tick_lock.slot = (
     select min(free.slot) from tick_lock free
      where free.slot <> all (v_held || v_state.passed_slot))
     for update skip locked;
  if v_slot is null or coalesce(pg_sequence_last_value('guard_at'), 0) <> v_last then
    return null;
  end if;
  perform setval('guard_at', greatest(0, millis(p_now)));

  -- It draws its number, and only then looks again.
  v_n := nextval('tick_n');
  v_held := array(
    select working.slot from ticks_at_work() working where working.slot <> v_slot);
  v_state := newest_state();
  if v_n <= v_state.n then                    -- a copy of the database without its sequences
    perform setval('tick_n', v_state.n);
    return null;
  end if;
  v_held := array(
    select held.slot from unnest(v_held) held(slot)
     where held.slot <> all (v_state.passed_slot));
  if pg_sequence_last_value('tick_n') <> v_n
     or v_slot = any (v_state.passed_slot)
     or v_state.worked_by = pg_current_xact_id_if_assigned()
     or v_young and v_held <> '{}' then
    return null;
  end if;

  -- It works, and passes the ticks that still hold a row.
  v_state.passed_slot := v_state.passed_slot || v_held;
  v_state.passed_from := v_state.passed_from || array_fill(v_state.n, array[cardinality(v_held)]);
  v_state.passed_to := v_state.passed_to || array_fill(v_n, array[cardinality(v_held)]);
  v_state.passed_safe := v_state.passed_safe
    || array_fill(v_state.safe, array[cardinality(v_held)]);
  v_state.slot := v_slot;
  v_state.prev := v_state.n;
  v_state.n := v_n;
  v_state.at := p_now;
  v_state.worked_by := pg_current_xact_id();
  return v_state;
end
$$;

comment on function fairclaim_internal.take_guard(timestamptz) is
'Makes this tick the one that works and returns the state that it begins with; null while another works.';
