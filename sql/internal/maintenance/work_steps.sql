-- Runs the steps of a tick that works: all of them in a look at everything, else what is due or was
-- left over. A look at everything keeps its state, and so does one that goes on with what was left;
-- a tick that only promotes keeps none.
create or replace function fairclaim_internal.work_steps(
  inout p_state fairclaim_internal.tick_state,
  p_round boolean,
  p_all boolean,
  out did jsonb,
  out failed text[]
)
language plpgsql
as $$
declare
  v_steps text[] := case
    when p_round
      then array['promote', 'return', 'cancel', 'suspects', 'keys', 'marks', 'overrides',
                 'weights', 'limits', 'renew', 'floors', 'close', 'times', 'workers', 'sweep',
                 'quotas', 'ranges', 'names', 'stats']
    when p_state.left_over
      then array['promote', 'return', 'keys', 'overrides', 'weights', 'limits', 'renew', 'close',
                 'times', 'names']
    else array['promote', 'keys'] end;
  v_step text;
  v_left boolean := false;
  v_waiting boolean := true;
  v_due timestamptz;
  v_result record;
begin
  did := '{}'; failed := '{}';
  foreach v_step in array v_steps loop
    continue when v_step = 'sweep' and not p_all;
    continue when v_step = 'quotas' and not is_counting();
    continue when v_step = 'keys' and not p_all and not exists (
      select from key_note
       where key_note.note_id > coalesce(pg_sequence_last_value('key_floor'), 0));
    continue when v_step = 'names' and not exists (select from tenant_note);
    continue when v_step = 'weights' and not exists (select from weight_note);
    continue when v_step = 'overrides' and not exists (
      select from bound where bound.until <= p_state.at);
    continue when v_step = 'workers' and not p_all;
    continue when v_step = 'times' and not times_wanted();
    -- a step that runs into a time-out would make every tick as slow
    continue when v_step in ('quotas', 'ranges', 'names', 'stats', 'times') and exists (
      select from tick_fault fault
       where fault.step = v_step
         and fault.last_at > p_state.at - interval '1 minute' and fault.last_at <= p_state.at);
    if v_step = 'stats' and not stats_due(p_state.at) then
      perform setval('stats_owed', 1);
      continue;
    end if;
    select * into v_result from try_step(v_step, p_state, p_all);
    p_state := v_result.p_state;
    did := did || jsonb_build_object(v_step, v_result.done, v_step || '_more', v_result.more);
    v_left := v_left or v_result.again;
    if v_result.failed then
      failed := failed || v_step;
    end if;
    if v_step = 'floors' and not v_result.failed then
      v_waiting := v_result.more > 0;
    end if;
    exit when v_result.canceled;
  end loop;
  if p_round or p_state.left_over or v_left then
    p_state.left_over := v_left;
    if p_round then
      v_due := (select min(scheduled.run_at) from scheduled
                 where scheduled.run_at >= p_state.sched_floor);
      p_state.sched_floor := least(v_due, p_state.at - interval '1 min');
      p_state.quiet_until := quiet_until(p_state, v_waiting or failed <> '{}');
    end if;
    perform keep_state(p_state);
  end if;
end
$$;

comment on function fairclaim_internal.work_steps(fairclaim_internal.tick_state,
    boolean, boolean) is
'Runs the steps of a tick and keeps its state.';
