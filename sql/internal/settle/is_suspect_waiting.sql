-- Asked only while a tick has seen a lane of such jobs within a minute (settle_and_claim).
create or replace function fairclaim_internal.is_suspect_waiting(p_queues text[], p_types text[])
returns boolean
language plpgsql
as $$
begin
  return exists (
    select from lane
     where lane.alone
       and (p_queues is null or lane.queue = any (p_queues))
       and (p_types is null or lane.type = any (p_types))
       and exists (select from ready
                    where ready.lane_id = lane.lane_id and ready.seq >= lane.floor)
       and not exists (select from queue
                        where queue.name = lane.queue and queue.paused_at is not null));
end
$$;

comment on function fairclaim_internal.is_suspect_waiting(text[], text[]) is
'Whether a job that is to run alone waits in these queues, of these types (null: any), and may be claimed.';
