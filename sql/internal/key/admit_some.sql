-- For a worker's call that has slots left: so that the first job of a key need not wait for a tick.
-- It looks at as many notes as it has slots, since what it moves is nobody else's until it commits.
-- No claim fails for the sake of a key: what cannot be moved here is the tick's affair.
-- Callers ask first, in one expression:
--   abs(pg_sequence_last_value('key_noted_at') - v_ms) <= 60000
create or replace function fairclaim_internal.admit_some(p_slots int) returns boolean
language plpgsql
as $$
begin
  return (admit_keys(null, false, p_slots, '{}')).moved > 0;
exception
  when others then return false;
end
$$;

comment on function fairclaim_internal.admit_some(int) is
'Looks at some of the keys that are noted; whether a job of one has moved into a lane.';
