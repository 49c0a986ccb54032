-- The caller of this tick calls the next one within p_next, and a tenth of it: so nothing that is
-- due later needs a wake. What is kept is the latest time of all callers; one that lies more than
-- an hour ahead comes from a clock that was wrong. When the next tick is wanted is noted for all
-- who ask; what becomes due sooner moves it (wake_before).
create or replace function fairclaim_internal.note_look(p_now timestamptz, p_next interval)
returns float8
language plpgsql
as $$
declare
  v_ms bigint := millis(p_now);
  v_by bigint := millis(p_now + p_next * 1.1) + 200;
begin
  if coalesce(pg_sequence_last_value('look_by'), 0) not between v_by and v_ms + 3600000 then
    perform setval('look_by', v_by);
  end if;
  perform setval('tick_at', greatest(0, millis(p_now + p_next)));
  return date_part('epoch', p_next);
end
$$;

comment on function fairclaim_internal.note_look(timestamptz, interval) is
'Notes when the next tick is wanted, and by when all who tick will have ticked again; returns the seconds until the next one.';
