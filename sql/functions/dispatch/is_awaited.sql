-- Whether somebody is idle who would not look before a job is due, by a hint: asked in one inlined expression, so that a dispatch
-- calls wake() only then. What is due later is found by a tick.
create or replace function fairclaim.is_awaited(p_now timestamptz, p_due timestamptz) returns boolean
language sql volatile
as $$
  select p_due <= p_now
     and coalesce(pg_catalog.pg_sequence_last_value('fairclaim.idle_at'::pg_catalog.regclass), 0) >= fairclaim.millis(p_now) - 1500
$$;

comment on function fairclaim.is_awaited(timestamptz, timestamptz) is 'Whether an idle worker is to be woken for a job that is due then.';
