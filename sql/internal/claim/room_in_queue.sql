-- How many more jobs of a queue may run under the limit and the rate of the queue, all tenants
-- together: p_limit where it has neither, 0 where another claim holds its slot of claim_lock. The
-- slot is locked first, and what runs is counted in a later statement, whose snapshot sees what the
-- holder of the slot before has committed.
create or replace function fairclaim_internal.room_in_queue(p_queue text, p_limit int) returns int
language plpgsql
as $$
declare
  v_now timestamptz := fairclaim.clock();
  v_group int := lane_group(p_queue);
  v_limit running_limit;
  v_room int := p_limit;
begin
  select * into v_limit from running_limit
   where running_limit.tenant_id = '00000000-0000-0000-0000-000000000000'
     and running_limit.queue = p_queue and running_limit.subject = 'queue';
  if not found then
    return p_limit;
  end if;
  if (select count(*) from running where running.queue_group = v_group) >= v_limit.max_running then
    return 0;
  end if;
  perform from claim_lock
    where claim_lock.slot = 1024 + (v_group & 63) for update skip locked;
  if not found then
    return 0;
  end if;
  if v_limit.max_running is not null then
    v_room := v_limit.max_running
              - (select count(*) from running where running.queue_group = v_group);
  end if;
  if v_limit.units is not null then
    v_room := least(v_room, rate_room(v_limit.units, v_limit.period, v_limit.burst,
      (select used.paid_until from rate_use used
        where used.tenant_id = '00000000-0000-0000-0000-000000000000'
          and used.queue_group = v_group
        order by used.tenant_id desc, used.queue_group desc, used.use_id desc limit 1),
      v_now));
  end if;
  return greatest(0, least(p_limit, v_room));
end
$$;

comment on function fairclaim_internal.room_in_queue(text, int) is
'How many more jobs may run under the limit of a queue.';
