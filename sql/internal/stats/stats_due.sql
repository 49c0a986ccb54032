-- Milliseconds in sequences. A time ahead of the clock comes from a clock that was wrong.
create or replace function fairclaim_internal.stats_due(p_now timestamptz) returns boolean
language plpgsql
as $$
declare
  v_last bigint := coalesce(pg_sequence_last_value('stats_at'), 0);
begin
  return v_last <= millis(p_now) - 5000 or v_last > millis(p_now);
end
$$;

comment on function fairclaim_internal.stats_due(timestamptz) is
'Whether the last refresh of the statistics is 5 s old.';
