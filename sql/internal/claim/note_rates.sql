-- A claim that got nothing in a database with rates wants to look again when there is room under
-- the first of them: a tick wakes it then. That time is kept in `rate_at`.
create or replace function fairclaim_internal.note_rates(p_now timestamptz) returns void
language plpgsql
as $$
declare
  v_due timestamptz := (
    select rate_use.due_at from rate_use
     where rate_use.due_at > p_now order by rate_use.due_at limit 1);
  v_last bigint := coalesce(pg_sequence_last_value('rate_at'), 0);
begin
  if v_due is not null then
    if v_last not between millis(p_now) and millis(v_due) then
      perform setval('rate_at', millis(v_due) + 1);
    end if;
    if coalesce(pg_sequence_last_value('look_by'), 0) > millis(v_due) then
      perform wake_before(p_now, v_due);
    end if;
  end if;
end
$$;

comment on function fairclaim_internal.note_rates(timestamptz) is
'Notes when there is room under a rate again, for a claim that got nothing.';
