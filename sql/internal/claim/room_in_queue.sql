-- How many more jobs of a queue may run under the limit of the queue, all tenants together: p_limit
-- where it has no limit, 0 where another claim holds its slot of claim_lock. The slot is locked
-- first, and what runs is counted in a later statement, whose snapshot sees what the holder of the
-- slot before has committed.
create or replace function fairclaim_internal.room_in_queue(p_queue text, p_limit int) returns int
language plpgsql
as $$
declare
  v_group int := lane_group(p_queue);
  v_most int := (
    select running_limit.max_running from running_limit
     where running_limit.tenant_id = '00000000-0000-0000-0000-000000000000'
       and running_limit.queue = p_queue and running_limit.subject = 'queue');
begin
  if v_most is null then
    return p_limit;
  end if;
  if (select count(*) from running where running.queue_group = v_group) >= v_most then
    return 0;
  end if;
  perform from claim_lock
    where claim_lock.slot = 1024 + (v_group & 63) for update skip locked;
  if not found then
    return 0;
  end if;
  return greatest(0, least(p_limit,
    v_most - (select count(*) from running where running.queue_group = v_group)));
end
$$;

comment on function fairclaim_internal.room_in_queue(text, int) is
'How many more jobs may run under the limit of a queue.';
