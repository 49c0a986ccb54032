-- Every queue that is fair by seconds, or was: at most 100 of them in a tick, and a slice of the
-- lanes of each. Locks rows of queue_time (skip locked), then lanes.
create or replace function fairclaim_internal.weigh_by_time(p_size int) returns int
language plpgsql
as $$
declare
  v_queue text;
  v_written int := 0;
begin
  insert into queue_time (queue)
  select queue.name from queue
   where queue.fair_by = 'seconds'
     and not exists (select from queue_time known where known.queue = queue.name)
      on conflict (queue) do nothing;
  for v_queue in
    select known.queue from queue_time known order by random() limit 100 for update skip locked
  loop
    v_written := v_written + weigh_slice(v_queue, p_size);
  end loop;
  return v_written;
end
$$;

comment on function fairclaim_internal.weigh_by_time(int) is
'Brings the weights of lanes to what time says, in queues that are fair by seconds. Returns how many lanes it wrote.';
