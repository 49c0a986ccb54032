-- Writes down that a step failed, for the next tick and for doctor, and warns. Messages that may
-- quote a value of a row (about data that cannot be read, and what others raise) are left out.
-- Making ranges reads no row, and the event triggers are named with its message. Returns whether
-- trying again soon makes sense.
create or replace function fairclaim_internal.note_fault(
  p_step text,
  p_state fairclaim_internal.tick_state,
  p_fault fairclaim_internal.tick_fault,
  p_full int,
  p_sqlstate text,
  p_message text
) returns boolean
language plpgsql
as $$
declare
  v_note text := case
    when p_step = 'ranges' then
      p_message || coalesce(' (event triggers: ' || event_triggers() || ')', '')
    when p_sqlstate !~ '^(22|P0|JQ)' then p_message
    else 'its message may quote a row: see what refuses it' end;
  v_size int := least(p_full, p_fault.size);
  v_next int := v_size;
  v_passed uuid[] := coalesce(p_fault.passed, '{}');
  v_job uuid;
begin
  if p_sqlstate not in ('55P03', '40P01') then
    v_next := greatest(1, v_size / case when p_sqlstate = '57014' then 4 else 2 end);
    if v_size = 1 then
      v_job := first_job(p_step, p_state, v_passed);
      v_passed := (v_passed || v_job)[greatest(1, cardinality(v_passed) - 998):];
    end if;
  end if;
  raise warning 'fairclaim: the step % of tick failed (SQLSTATE %): %', p_step, p_sqlstate, v_note
    using hint = case
      when v_job is not null then format('job %s is passed over for a minute', v_job)
      when v_next < v_size then format('the next slice has at most %s rows', v_next)
      else 'it is tried again' end;
  insert into tick_fault (step, since, last_at, sqlstate, times, size, note, passed, passed_at)
  values (p_step, p_state.at, p_state.at, p_sqlstate, 1, v_next, v_note,
          array_remove(v_passed, null), p_state.at)
  on conflict (step) do update
     set last_at = excluded.last_at, sqlstate = excluded.sqlstate, times = tick_fault.times + 1,
         size = excluded.size, note = excluded.note, passed = excluded.passed,
         passed_at = case
           when tick_fault.passed = '{}' or excluded.passed = '{}' or p_fault.passed = '{}'
             then excluded.passed_at
           else tick_fault.passed_at end;
  return (v_next < v_size or v_job is not null) and coalesce(p_fault.times, 0) < 100;
end
$$;

comment on function fairclaim_internal.note_fault(text, fairclaim_internal.tick_state,
    fairclaim_internal.tick_fault, int, text, text) is
'Writes down a step of tick that failed, and how it goes on.';
