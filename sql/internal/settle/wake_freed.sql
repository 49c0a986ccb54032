-- Attempts that counted under limits have ended, so claims that found these tenants at their limits would find something now; nobody
-- dispatches then, and so nobody else would wake whoever sleeps. A settlement that claims in the same transaction takes that room
-- itself: it sets fairclaim.freed to "?", is handed the tenants in it, and asks here when it has claimed.
-- Callers ask first, in one expression:
--   coalesce(pg_sequence_last_value('asleep_until'), 0) > millis(v_now)
create or replace function fairclaim_internal.wake_freed(p_now timestamptz, p_tenants uuid[]) returns void
language plpgsql
set enable_seqscan = off
as $$
begin
  if current_setting('fairclaim.freed', true) = '?' then
    perform set_config('fairclaim.freed', array_to_string(p_tenants, ','), true);
  elsif exists (
      select from unnest(p_tenants) x(t)
       where exists (select from ready y where y.tenant_id = x.t)
         and not exists (select from tenant_limit b
                          where b.tenant_id = x.t
                            and b.max_running <= (select count(*) from running g where g.limited and g.tenant_id = x.t))) then
    perform wake(p_now);
  end if;
end
$$;

comment on function fairclaim_internal.wake_freed(timestamptz, uuid[]) is
'Wakes idle workers if one of these tenants, of which limited jobs have ended, has jobs waiting and room under its limit.';
