-- The next queue by name that is not paused and may have something for a claim: one with a row in a lane (p_alone: in a lane of jobs that
-- run alone). Empty shared lanes cost a look each, once a claim, whatever the number of their queues. So do empty own lanes, until they are
-- closed: after a hundred of them in a row their last queue is visited, since a queue with very many has better ways to walk them. For one look
-- in 32 a lane is hinted at, so that its floor passes what was taken from it (see leave_hints).
create or replace function fairclaim.next_queue(p_after text, p_alone boolean) returns text
language plpgsql
as $$
declare
  v_after text collate "C" := p_after;
begin
  if not p_alone and random() < 0.1 then
    insert into fairclaim.floor_hint (lane_id)
    select w.lane_id
      from (select l.lane_id, l.floor from fairclaim.lane l
             where l.tenant_id is not null and l.queue > v_after order by l.queue limit 100) w
     where random() < 0.3 and not exists (select from fairclaim.ready y where y.lane_id = w.lane_id and y.seq >= w.floor);
  end if;
  return (
    select min(n.q)
      from ((select coalesce(
               (select w.queue
                  from (select l.queue, l.lane_id, l.floor from fairclaim.lane l
                         where not p_alone and l.tenant_id is not null and l.queue > v_after order by l.queue limit 100) w
                 where exists (select from fairclaim.ready y where y.lane_id = w.lane_id and y.seq >= w.floor)
                   and not exists (select from fairclaim.queue p where p.name = w.queue and p.paused_at is not null)
                 limit 1),
               (select l.queue from fairclaim.lane l
                 where not p_alone and l.tenant_id is not null and l.queue > v_after order by l.queue offset 99 limit 1)) q)
            union all
            (select l.queue from fairclaim.lane l
              where not p_alone and l.tenant_id is null and not l.alone and l.queue > v_after
                and exists (select from fairclaim.ready y where y.lane_id = l.lane_id and y.seq >= l.floor)
                and not exists (select from fairclaim.queue p where p.name = l.queue and p.paused_at is not null)
              order by l.queue limit 1)
            union all
            (select l.queue from fairclaim.lane l
              where p_alone and l.alone and l.queue > v_after
                and exists (select from fairclaim.ready y where y.lane_id = l.lane_id and y.seq >= l.floor)
                and not exists (select from fairclaim.queue p where p.name = l.queue and p.paused_at is not null)
              order by l.queue limit 1)) n);
end
$$;

comment on function fairclaim.next_queue(text, boolean) is
'The first queue after this name in which a claim may find something; null when there is none.';
