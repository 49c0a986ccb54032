-- The next queue by name that is not paused and may have something for a claim: one with a row in a
-- lane (p_alone: in a lane of jobs that run alone). Empty shared lanes cost a look each, once a
-- claim, whatever the number of their queues. So do empty own lanes, until they are closed: after a
-- hundred of them in a row their last queue is visited, since a queue with very many has better
-- ways to walk them. For one look in 32 a lane is hinted at, so that its floor passes what was
-- taken from it (leave_hints).
create or replace function fairclaim_internal.next_queue(p_after text, p_alone boolean) returns text
language plpgsql
as $$
declare
  v_after text collate "C" := p_after;
begin
  if not p_alone and random() < 0.1 then
    insert into floor_hint (lane_id)
    select own.lane_id
      from (select lane.lane_id, lane.floor from lane
             where lane.walked and lane.queue > v_after
             order by lane.queue limit 100) own
     where random() < 0.3
       and not exists (select from ready
                        where ready.lane_id = own.lane_id and ready.seq >= own.floor);
  end if;
  return (
    select min(found.name)
      from ((select coalesce(
               (select own.queue
                  from (select lane.queue, lane.lane_id, lane.floor from lane
                         where not p_alone and lane.walked and lane.queue > v_after
                         order by lane.queue limit 100) own
                 where exists (select from ready
                                where ready.lane_id = own.lane_id and ready.seq >= own.floor)
                   and not exists (select from queue
                                    where queue.name = own.queue and queue.paused_at is not null)
                 limit 1),
               (select lane.queue from lane
                 where not p_alone and lane.walked and lane.queue > v_after
                 order by lane.queue offset 99 limit 1)) as name)
            union all
            (select lane.queue from lane
              where not p_alone and lane.tenant_id is null and not lane.alone
                and lane.queue > v_after
                and exists (select from ready
                             where ready.lane_id = lane.lane_id and ready.seq >= lane.floor)
                and not exists (select from queue
                                 where queue.name = lane.queue and queue.paused_at is not null)
              order by lane.queue limit 1)
            union all
            (select lane.queue from lane
              where p_alone and lane.alone and lane.queue > v_after
                and exists (select from ready
                             where ready.lane_id = lane.lane_id and ready.seq >= lane.floor)
                and not exists (select from queue
                                 where queue.name = lane.queue and queue.paused_at is not null)
              order by lane.queue limit 1)) found);
end
$$;

comment on function fairclaim_internal.next_queue(text, boolean) is
'The first queue after this name in which a claim may find something; null when there is none.';
