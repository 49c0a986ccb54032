-- Attempts that counted under limits have ended: claims walk the lanes of their tenants again, and
-- workers that sleep are told if they would find something. A lane that is locked at this moment is
-- left to the next tick.
create or replace function fairclaim_internal.leave_room(p_now timestamptz, p_tenants uuid[])
returns void
language plpgsql
as $$
begin
  if exists (select from lane where not lane.walked and lane.tenant_id = any (p_tenants)) then
    update lane set walked = true
     where lane.ctid = any (array(
       select freed.ctid from lane freed
        where not freed.walked and freed.tenant_id = any (p_tenants) for update skip locked));
  end if;
  if coalesce(pg_sequence_last_value('asleep_until'), 0) > millis(p_now) then
    perform wake_freed(p_now, p_tenants);
  end if;
end
$$;

comment on function fairclaim_internal.leave_room(timestamptz, uuid[]) is
'Lets claims find the jobs of these tenants again, of which limited jobs have ended, and wakes idle workers for them.';
