create or replace function fairclaim.note_idle(p_now timestamptz) returns void
language plpgsql
as $$
declare
  v_ms bigint := fairclaim.millis(p_now);
begin
  if (select s.last_value from fairclaim.idle_at s) not between v_ms - 50 and v_ms then
    perform setval('fairclaim.idle_at', v_ms);
  end if;
end
$$;

comment on function fairclaim.note_idle(timestamptz) is 'Notes that a claim found nothing, so that dispatch wakes idle workers.';
