-- Runs one step of a tick by its name, with the size of its slice and the jobs that it is to pass
-- over. `done` and `more` are what it did, as tick tells it. `again`: the slice was full, so that
-- the next tick should come at once.
create or replace function fairclaim_internal.run_step(
  p_step text,
  inout p_state fairclaim_internal.tick_state,
  p_size int,
  p_skip uuid[],
  p_all boolean,
  out done int,
  out more int,
  out again boolean
)
language plpgsql
as $$
declare
  v_result record;
begin
  done := 0; more := 0;
  case p_step
    when 'marks' then
      p_state := free_passed(mark_holders(p_state));
    when 'promote' then
      done := promote_due(p_state.at, p_state.sched_floor, p_size, p_skip);
    when 'cancel' then
      perform end_cancelled(p_state.at, p_size, p_skip);
    when 'return' then
      if not (p_state.reaped_at >= p_state.at - interval '5 s' and p_state.reaped_at <= p_state.at)
         and exists (select from running) then
        done := return_expired(p_state.at, p_size, p_skip);
        p_state.reaped_at := case when done < p_size then p_state.at else p_state.reaped_at end;
      end if;
    when 'suspects' then
      done := fail_suspects(p_state.at, p_size, p_skip);
    when 'limits' then
      select * into v_result from apply_limits(p_state, p_size, p_skip);
      p_state := v_result.p_state; done := v_result.moved;
    when 'keys' then
      select * into v_result from admit_keys(p_state, p_all, p_size, p_skip);
      done := v_result.moved; more := v_result.looked;
    when 'renew' then
      done := renew_passed(p_size, p_skip);
    when 'floors' then
      select * into v_result from move_floors(p_state, p_all);
      p_state := v_result.p_state; done := v_result.moved; more := v_result.waiting::int;
    when 'close' then
      select * into v_result from close_lanes(p_state, p_size);
      p_state := v_result.p_state; done := v_result.closed; more := v_result.deleted;
    when 'sweep' then
      select * into v_result from sweep_ready(p_state, p_size, p_skip);
      p_state := v_result.p_state; done := v_result.swept;
    when 'overrides' then
      done := end_overrides(p_state.at, p_size);
    when 'weights' then
      done := apply_weights(p_state, p_size);
    when 'times' then
      done := fold_times(p_state.at, p_size);
      more := weigh_by_time(least(p_size, 2000));
      if p_all then
        perform forget_times(p_state.at, p_size);
      end if;
    when 'workers' then
      done := forget_workers(p_state.at, p_size);
    when 'names' then
      done := fold_names(p_size);
    when 'stats' then
      perform refresh_stats(p_state.at);
    when 'quotas' then
      done := count_waiting(p_state, p_size);
    when 'ranges' then
      perform make_ranges(p_state.at + 3 * range_width());
  end case;
  again := case p_step
    when 'close' then done + more >= greatest(1, p_size / 4)
    when 'floors' then false
    when 'quotas' then false
    when 'keys' then more >= p_size
    else done >= p_size end;
end
$$;

comment on function fairclaim_internal.run_step(text, fairclaim_internal.tick_state, int,
    uuid[], boolean) is
'Runs one step of tick.';
