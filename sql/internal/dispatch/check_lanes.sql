-- Each type and priority of a tenant with a backlog is a lane, and each lane is looked at by the
-- claims that come by the turn of its tenant. So their number is bounded, for each tenant by
-- itself. Called only when a dispatch has made an own lane; it reads as many lanes as may be.
create or replace function fairclaim_internal.check_lanes(p_tenants uuid[], p_queues text[])
returns void
language plpgsql
as $$
declare
  v_most int := (select setting.max_own_lanes from setting);
begin
  if exists (
    select from (select distinct made.tenant_id, made.queue collate "C" as queue
                   from unnest(p_tenants, p_queues) made(tenant_id, queue)) pair
     where (select count(*) from (
              select from lane
               where lane.tenant_id = pair.tenant_id and lane.queue = pair.queue
                 and lane.drained is null
               limit v_most + 1) own) > v_most) then
    perform refuse('JQ003', 'type',
      format('a tenant may have jobs of %s pairs of type and priority waiting in lanes of their own'
             ' in one queue', v_most),
      'dispatch later, name fewer types, or raise the setting:'
      ' `fairclaim settings set max_own_lanes`',
      jsonb_build_object('limit', v_most));
  end if;
end
$$;

comment on function fairclaim_internal.check_lanes(uuid[], text[]) is
'Refuses a dispatch (JQ003) after which a tenant has more own lanes in a queue than fairclaim_internal.setting.max_own_lanes.';
