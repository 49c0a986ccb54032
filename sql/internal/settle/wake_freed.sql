-- Attempts that counted under limits have ended, so claims that found these tenants at their limits
-- would find something now. There is no dispatch then that would wake the workers that sleep. A
-- settlement that claims in the same transaction takes that room itself: it sets fairclaim.freed to
-- "?", gets the tenants back in it, and asks here when it has claimed. Sequential scans are off:
-- the statistics of `ready` and `running` may say "empty" when they are full.
--
-- Callers ask first, in one expression:
--   coalesce(pg_sequence_last_value('asleep_until'), 0) > millis(v_now)
create or replace function fairclaim_internal.wake_freed(p_now timestamptz, p_tenants uuid[])
returns void
language plpgsql
set enable_seqscan = off
as $$
begin
  if current_setting('fairclaim.freed', true) = '?' then
    perform set_config('fairclaim.freed', array_to_string(p_tenants, ','), true);
  elsif exists (
      select from unnest(p_tenants) freed(tenant_id) where has_room(freed.tenant_id)) then
    perform wake(p_now);
  end if;
end
$$;

comment on function fairclaim_internal.wake_freed(timestamptz, uuid[]) is
'Wakes idle workers if one of these tenants, of which limited jobs have ended, has jobs waiting and room under its limit.';
