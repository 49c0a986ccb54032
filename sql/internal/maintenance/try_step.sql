-- Runs one step of tick in a subtransaction, so that one that fails stops no other. Its slices get
-- smaller with every failure, down to one, and grow again with every success. A job at which a
-- slice of one fails is passed over. A step that a time-out of the statement cancels ends the tick
-- soon: `canceled`. Where there is no such time-out, the caller cancels, and the tick ends at once.
-- A lock that is not free within the time-out of tick is the fault of no step: the next tick tries
-- the step again as it is.
create or replace function fairclaim_internal.try_step(
  p_step text,
  inout p_state fairclaim_internal.tick_state,
  p_all boolean,
  out done int,
  out more int,
  out again boolean,
  out failed boolean,
  out canceled boolean
)
language plpgsql
as $$
declare
  v_fault tick_fault;
  v_full int := case p_step when 'close' then 2000 else 5000 end;
  v_message text;
  v_result record;
begin
  select * into v_fault from tick_fault where tick_fault.step = p_step;
  if v_fault.passed <> '{}'
     and not (v_fault.passed_at > p_state.at - interval '1 minute'
              and v_fault.passed_at <= p_state.at) then
    -- Once a minute the jobs that are passed over are tried again, one at a time.
    v_fault.passed := '{}';
    v_fault.size := 1;
  end if;
  done := 0;
  more := 0;
  again := false;
  failed := false;
  canceled := false;
  begin
    select * into v_result
      from run_step(
        p_step, p_state, least(v_full, v_fault.size), coalesce(v_fault.passed, '{}'), p_all);
    p_state := v_result.p_state;
    done := v_result.done;
    more := v_result.more;
    again := v_result.again;
  exception
    when query_canceled or others then
      if sqlstate = '57014' and current_setting('statement_timeout') = '0' then
        raise;                                -- the caller's wish, and the fault of no step
      end if;
      failed := true;
      canceled := sqlstate = '57014';
      get stacked diagnostics v_message = message_text;
      begin
        again := note_fault(p_step, p_state, v_fault, v_full, sqlstate, v_message);
      exception
        when lock_not_available then null;    -- a tick that was passed has written about it
      end;
      if p_step = 'close' and v_fault.size = 1 then       -- go on behind that lane
        p_state.slice := coalesce(
          (select min(lane.lane_id) from lane where lane.lane_id > p_state.slice),
          -9223372036854775808);
      end if;
  end;
  if not failed and v_fault.step is not null then
    if v_fault.size >= v_full and v_fault.passed = '{}' then
      delete from tick_fault
       where tick_fault.ctid = any (array(
         select mended.ctid from tick_fault mended
          where mended.step = p_step for update skip locked));
    else
      update tick_fault
         set size = least(v_full, v_fault.size::bigint * 2), times = 0, passed = v_fault.passed
       where tick_fault.ctid = any (array(
         select mended.ctid from tick_fault mended
          where mended.step = p_step for update skip locked));
    end if;
  end if;
end
$$;

comment on function fairclaim_internal.try_step(text, fairclaim_internal.tick_state, boolean) is
'Runs one step of tick and outlives its failure, which it writes down.';
