-- One job, where nothing special applies: no priorities in the queue, no limits, no pause; else it
-- finds nothing, and claim_from_queue has the rest. One statement looks, walks, locks and takes.
-- Its lock on `ready` is older than the snapshot in which it sees no limit.
-- way: 0 shared lanes (three claims of four), 1 the rest of the quantum of the cursor's tenant, 2
-- the next 256 own lanes in turn, 3 shared lanes again where there is no own lane. Lanes of types
-- that were not asked for are passed over; what lies farther is claim_from_queue's affair. p_pos,
-- p_used and p_shared are this queue's part of the cursor: they come back moved on, or null with no
-- job.
create or replace function fairclaim_internal.claim_one(
  p_queue text,
  p_types text[],
  inout p_pos bigint,
  inout p_used int,
  inout p_shared int,
  out jobs fairclaim_internal.ready[]
)
language plpgsql
as $$
declare
  v_pos bigint := p_pos;
begin
  with taken as materialized (
    select waiting.place, waiting.job, walk.turn, walk.way
      from ((select lane.lane_id, oldest.seq as floor, p_pos as turn, 0 as way, lane.type
               from lane
              cross join lateral (
                select ready.seq from ready
                 where ready.lane_id = lane.lane_id and ready.seq >= lane.floor
                 order by ready.lane_id, ready.seq limit 1) oldest
              where p_shared < 3
                and lane.tenant_id is null and not lane.alone and lane.queue = p_queue
              order by oldest.seq)
            union all
            (select lane.lane_id, lane.floor, lane.turn, 1, lane.type from lane
              where lane.walked and lane.queue = p_queue and lane.turn = p_pos
                and lane.weight > p_used and (p_types is null or lane.type = any (p_types))
              order by lane.queue, lane.turn, lane.priority desc, lane.lane_id limit 256)
            union all
            (select lane.lane_id, lane.floor, lane.turn, 2, lane.type from lane
              where lane.walked and lane.queue = p_queue and lane.turn > p_pos
              order by lane.queue, lane.turn, lane.priority desc, lane.lane_id limit 128)
            union all
            (select lane.lane_id, lane.floor, lane.turn, 2, lane.type from lane
              where lane.walked and lane.queue = p_queue and lane.turn <= p_pos
              order by lane.queue, lane.turn, lane.priority desc, lane.lane_id limit 128)
            union all
            (select lane.lane_id, lane.floor, p_pos, 3, lane.type from lane
              where lane.tenant_id is null and not lane.alone and lane.queue = p_queue
                and not exists (select from lane own
                                 where own.walked and own.queue = p_queue))) walk
     cross join lateral (
       select ready.ctid as place, ready as job from ready
        where ready.lane_id = walk.lane_id and ready.seq >= walk.floor
        order by ready.lane_id, ready.seq limit 1 for update skip locked) waiting
     where (p_types is null or walk.type = any (p_types))
       and not exists (select from running_limit)
       and not exists (select from queue where queue.name = p_queue and queue.paused_at is not null)
       and not exists (select from lane ranked
                        where ranked.queue = p_queue
                          and (ranked.priority > 0
                               or ranked.priority < 0 and ranked.tenant_id is null))
     limit 1),
  gone as (
    delete from ready where ready.ctid = any (array(select taken.place from taken)))
  select array[taken.job], taken.turn,
         case taken.way when 2 then 1 when 1 then p_used + 1 else p_used end,
         case when taken.way = 0 then p_shared + 1 else 0 end
    into jobs, p_pos, p_used, p_shared
    from taken;
  if jobs is not null and random() < 0.03 then      -- a statement of its own: it would cost each
    perform hint_passed(p_queue, v_pos);            -- claim more than the walk
  end if;
end
$$;

comment on function fairclaim_internal.claim_one(text, text[], bigint, int, int) is
'Takes one job out of `ready`, where nothing special applies: one statement.';
