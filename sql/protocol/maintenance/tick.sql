-- Safe from anywhere, any number at once: one works, the others return busy. Everything is looked
-- at once in `tick_every` (half a second) for all who call, and nothing is locked or written when
-- there is nothing to do; in between only what is due or was left over is done. Locks: its row of
-- tick_lock, then what its steps lock. No step waits for an application, and for the lock of a
-- whole table it waits 100 ms.
--
-- A caller that stays idle in its transaction after a tick would keep the others away, so the idle
-- time is bounded; see take_guard for those that lift the bound.
create or replace function fairclaim.tick() returns table (
  promoted int, returned int, moved int, floors int, closed int, deleted int, safe_lag bigint,
  busy boolean, next_tick_in float8, failed text[], prune_due boolean
)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
set plan_cache_mode = force_generic_plan
set lock_timeout = '100ms'
as $$
declare
  v_now timestamptz := fairclaim.clock();
  v_ms bigint := millis(v_now);
  v_every bigint := (select extract(epoch from setting.tick_every) * 1000 from setting);
  v_last bigint := coalesce(pg_sequence_last_value('round_at'), 0);
  v_round boolean := not (v_last > v_ms - v_every and v_last <= v_ms);
  v_state tick_state := newest_state();
  -- whole indexes, with their dead prefixes, are read four times a minute; that of the delayed jobs
  -- also when no tick came for a while, since what told of them may have been committed late
  v_all boolean;
  v_late boolean;
  v_next interval;
  v_result record;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform refuse('JQ004', 'transaction', 'tick needs isolation level read committed',
      'begin isolation level read committed');
  end if;
  promoted := 0; returned := 0; moved := 0; floors := 0; closed := 0; deleted := 0;
  safe_lag := v_state.mark - v_state.safe; busy := false; failed := '{}';
  if coalesce(pg_sequence_last_value('rate_at'), 0) between 1 and v_ms then
    perform setval('rate_at', 0);
    perform wake(v_now);
  end if;
  v_all := v_round and v_last / 15000 <> v_ms / 15000;
  v_late := v_round and v_last < v_ms - 2000;
  v_state.sched_floor := case when v_all or v_late then '-infinity'
                              else least(v_state.sched_floor, v_now - interval '1 min') end;
  if not is_wanted(v_state, v_now, v_round) then
    if v_round then
      perform setval('round_at', greatest(0, v_ms));
    end if;
    v_next := next_look(v_state, v_now);
    next_tick_in := note_look(v_now, v_next);
    prune_due := is_prune_due(v_now, v_next < interval '29 s');
    return next;
    return;
  end if;

  v_state := take_guard(v_now);
  -- unless another tick was quicker
  v_round := v_round and v_last = coalesce(pg_sequence_last_value('round_at'), 0);
  if v_state.n is null then
    busy := true;
    next_tick_in := 1;
    prune_due := is_prune_due(v_now, true);
    return next;
    return;
  end if;
  perform set_config('idle_in_transaction_session_timeout', '10s', true);
  if v_round then
    perform setval('round_at', greatest(0, v_ms));
  end if;
  v_all := v_all and v_round;
  v_state.sched_floor := case when v_all or v_late and v_round then '-infinity'
                              else least(v_state.sched_floor, v_now - interval '1 min') end;
  select * into v_result from work_steps(v_state, v_round, v_all);
  v_state := v_result.p_state;
  failed := v_result.failed;
  promoted := coalesce((v_result.did ->> 'promote')::int, 0);
  returned := coalesce((v_result.did ->> 'return')::int, 0);
  select coalesce(sum((v_result.did ->> step.name)::int), 0) into moved
    from unnest(array['limits', 'keys', 'renew', 'sweep']) step(name);
  floors := coalesce((v_result.did ->> 'floors')::int, 0);
  closed := coalesce((v_result.did ->> 'close')::int, 0);
  deleted := coalesce((v_result.did ->> 'close_more')::int, 0);
  safe_lag := v_state.mark - v_state.safe;
  if promoted + returned + moved > 0 then
    perform wake(v_now);
  end if;
  v_next := next_look(v_state, v_now);
  next_tick_in := note_look(v_now, v_next);
  prune_due := is_prune_due(v_now, v_next < interval '29 s');
  return next;
end
$$;

comment on function fairclaim.tick() is
'Maintenance, a bounded slice of it: promotes due jobs, returns expired leases, ends what was to be cancelled and waits all the same, lets jobs of keys move up, puts limits into effect, fails suspects that no worker took, moves floors, closes and deletes empty lanes, makes ranges ahead, keeps the names of tenants that dispatches have used, refreshes the statistics. Call it from anywhere when next_tick_in says, in seconds: after half a minute at most, sooner when something can be due, every second while jobs wait or lanes come and go. Workers do. prune_due: no worker has pruned for a minute (ten, while nothing happens): call drop_ranges() and prune(). busy: another tick is at work. safe_lag: by how much open transactions hold floors back. failed: steps that failed, with a warning each; the others were done.
Errors: JQ004 outside READ COMMITTED.';

grant execute on function fairclaim.tick() to fairclaim_worker, fairclaim_operator;
