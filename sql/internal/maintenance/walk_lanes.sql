-- Claims do not walk the own lanes of tenants that stay at a limit, and walk them again when there
-- is room: a settlement sees to that at once, and a tick to what it missed or what was set. True if
-- it has put some back: nobody was told that their jobs may be claimed. Locks lanes (skip locked).
create or replace function fairclaim_internal.walk_lanes(p_now timestamptz, p_size int)
returns boolean
language plpgsql
as $$
declare
  v_back int := 0;
begin
  if exists (select from lane where lane.tenant_id is not null and not lane.walked) then
    update lane set walked = true
     where lane.ctid = any (array(
       select freed.ctid from lane freed
        where freed.tenant_id is not null and not freed.walked
          and not exists (
                select from at_limit
                 where at_limit.is_stable and at_limit.tenant_id = freed.tenant_id
                   and at_limit.queue in ('', freed.queue))
        limit 10 * p_size for update skip locked));
    get diagnostics v_back = row_count;
    perform walk_locked(p_now, p_size);
  end if;
  if exists (select from at_limit where at_limit.is_stable) then
    update lane set walked = false
     where lane.ctid = any (array(
       select stuck.place
         from (select distinct at_limit.tenant_id, at_limit.queue from at_limit
                where at_limit.is_stable) full_now
        cross join lateral (
          select lane.ctid as place from lane
           where lane.tenant_id = full_now.tenant_id and lane.walked
             and full_now.queue in ('', lane.queue)
             for update skip locked) stuck
        limit 10 * p_size));
  end if;
  return v_back > 0;
end
$$;

comment on function fairclaim_internal.walk_lanes(timestamptz, int) is
'Takes the lanes of tenants that stay at a limit out of the walk of claims, and puts them back.';
