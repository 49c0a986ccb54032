-- Safe from anywhere, any number at once: one works, the others return busy. Locks its private row first, then lanes; waits for
-- nobody. A caller that stays idle in its transaction after a tick would hold that row, so the idle time is bounded.
create or replace function fairclaim.tick() returns table (
  promoted int, returned int, moved int, floors int, closed int, deleted int, safe_lag bigint, busy boolean, next_tick_in interval
)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
set plan_cache_mode = force_generic_plan
as $$
declare
  v_now timestamptz := fairclaim.clock();
  v_state fairclaim.tick_state;
  v_oldest bigint;
  r record;
  v_width interval;
  v_due timestamptz;                          -- when the next job is due
  v_ends_at timestamptz;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform fairclaim.refuse('JQ004', 'transaction', 'tick needs isolation level read committed', 'begin isolation level read committed');
  end if;
  promoted := 0; returned := 0; moved := 0; floors := 0; closed := 0; deleted := 0; safe_lag := 0;
  perform 1 from fairclaim.tick_lock for update skip locked;
  if not found then
    busy := true;
    next_tick_in := interval '1 second';
    return next;
    return;
  end if;
  busy := false;
  perform set_config('idle_in_transaction_session_timeout', '10s', true);

  select * into v_state from fairclaim.tick_state;
  v_state.n := v_state.n + 1;
  select * into r from fairclaim.mark_holders(v_state);
  v_state := r.p_state; v_oldest := r.oldest;
  promoted := fairclaim.promote_due(v_now, v_state.sched_floor);
  if v_state.reaped_at < v_now - interval '5 s' or v_state.reaped_at > v_now then
    perform fairclaim.end_cancelled(v_now);
    returned := fairclaim.return_expired(v_now);
    v_state.reaped_at := case when returned < 5000 then v_now else v_state.reaped_at end;
  end if;
  moved := fairclaim.apply_limits(v_state.n, v_oldest, v_state.shared_slice) + fairclaim.renew_passed();
  select * into r from fairclaim.move_floors(v_state, v_now);
  v_state := r.p_state; floors := r.moved;
  select * into r from fairclaim.close_lanes(v_state, v_oldest, v_now);
  v_state := r.p_state; closed := r.closed; deleted := r.deleted;
  select * into r from fairclaim.sweep_ready(v_state);
  v_state := r.p_state; moved := moved + r.swept;

  -- behind the dead prefix; once in 60 ticks the whole index, for a dispatcher that stayed open past its own run_at by a minute
  v_due := (select min(s.run_at) from fairclaim.scheduled s
             where s.run_at >= case when v_state.n % 60 = 0 then '-infinity' else v_state.sched_floor end);
  v_state.sched_floor := least(v_due, v_now - interval '1 min');
  update fairclaim.tick_state t
     set n = v_state.n, mark = v_state.mark, safe = v_state.safe, shared_safe = v_state.shared_safe, holders = v_state.holders,
         holder_n = v_state.holder_n, holder_mark = v_state.holder_mark, slice = v_state.slice, shared_slice = v_state.shared_slice,
         sweep = v_state.sweep, hint = v_state.hint, sched_floor = v_state.sched_floor, reaped_at = v_state.reaped_at;
  select greatest(interval '1 hour', s.retention / 4) into v_width from fairclaim.setting s;
  v_ends_at := (select max(i.ends_at) from fairclaim.id_range i);
  if (select s.last_value from fairclaim.range_end s) <> fairclaim.millis(v_ends_at) then
    perform setval('fairclaim.range_end', fairclaim.millis(v_ends_at));      -- these are committed; those made below are not yet
  end if;
  if v_ends_at is null or v_ends_at < v_now + 2 * v_width then
    begin
      perform fairclaim.make_ranges(v_now + 3 * v_width);
    exception
      when others then raise warning 'fairclaim cannot make ranges ahead: %', sqlstate;      -- leases must return all the same
    end;
  end if;
  if promoted + returned + moved > 0 then
    perform fairclaim.wake(v_now);
  end if;
  safe_lag := v_state.mark - v_state.safe;
  next_tick_in := case when promoted >= 5000 or returned >= 5000 then interval '20 ms'
    when v_due > v_now then least(interval '1 s', greatest(interval '20 ms', v_due - v_now))
    when v_due <= v_now or moved + closed + deleted + floors > 0 then interval '1 s'      -- what is due and still there is locked by somebody
    else least(interval '30 s', v_due - v_now, (select greatest(interval '1 s', r.lease_expires_at - v_now) from fairclaim.running r order by r.lease_expires_at limit 1),
               case when exists (select from fairclaim.lane l where l.tenant_id is not null) or exists (select from fairclaim.ready)
                      then interval '1 s' end) end;
  perform fairclaim.note_look(v_now, next_tick_in);
  return next;
end
$$;

comment on function fairclaim.tick() is
'Maintenance, a bounded slice of it: promotes due jobs, returns expired leases, ends what was to be cancelled and waits all the same, puts limits into effect, moves floors, closes and deletes empty lanes, makes ranges ahead. Call it about once a second, from anywhere; next_tick_in says when. Workers do. busy: another tick is at work. safe_lag: by how much open transactions hold floors back.
Errors: JQ004 outside READ COMMITTED.';
