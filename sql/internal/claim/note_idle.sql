-- Called when a claim found nothing. From then on dispatches wake the worker, for as long as it
-- says that it will be idle. 0 means that nothing wakes it, since it polls. Null stands for a
-- caller that does not say: it polls about once a second. However many workers ask, the sequence is
-- set at most once in a twentieth of that time. A value more than an hour ahead was written by a
-- clock that was wrong, and is replaced.
create or replace function fairclaim_internal.note_idle(
  p_now timestamptz,
  p_idle_for float8 default null
) returns void
language plpgsql
as $$
declare
  v_ms bigint := millis(p_now);
  v_for bigint := (least(coalesce(p_idle_for, 1.5), 600) * 1000)::bigint;
begin
  if v_for > 0
     and coalesce(pg_sequence_last_value('asleep_until'), 0)
         not between v_ms + v_for - v_for / 20 and v_ms + 3600000 then
    perform setval('asleep_until', v_ms + v_for);
  end if;
end
$$;

comment on function fairclaim_internal.note_idle(timestamptz, float8) is
'Notes that a claim found nothing and how long its worker will be idle, in seconds, so that dispatch wakes it.';
