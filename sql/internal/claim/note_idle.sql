-- A claim found nothing: from now on dispatches wake the worker, for as long as it says that it will be idle. 0: nothing wakes it (it polls).
-- null: a caller that does not say polls about once a second. The sequence is set once in a twentieth of that time at most, whoever
-- asks; one that lies more than an hour ahead is of a clock that was wrong.
create or replace function fairclaim_internal.note_idle(p_now timestamptz, p_idle_for float8 default null) returns void
language plpgsql
as $$
declare
  v_ms bigint := millis(p_now);
  v_for bigint := (least(coalesce(p_idle_for, 1.5), 600) * 1000)::bigint;
begin
  if v_for > 0
     and coalesce(pg_sequence_last_value('asleep_until'), 0) not between v_ms + v_for - v_for / 20 and v_ms + 3600000 then
    perform setval('asleep_until', v_ms + v_for);
  end if;
end
$$;

comment on function fairclaim_internal.note_idle(timestamptz, float8) is
'Notes that a claim found nothing and how long its worker will be idle, in seconds, so that dispatch wakes it.';
