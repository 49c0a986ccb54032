-- The next queue by name that is not paused and may have something for a claim: one with own lanes, or with a row in a shared lane (p_alone: in a lane of
-- jobs that run alone). Empty shared lanes cost a look each, once a claim, whatever the number of their queues.
create or replace function fairclaim.next_queue(p_after text, p_alone boolean) returns text
language plpgsql
as $$
declare
  v_after text collate "C" := p_after;
begin
  return (
    select min(n.q)
      from ((select l.queue q from fairclaim.lane l
              where not p_alone and l.tenant_id is not null and l.queue > v_after
                and not exists (select from fairclaim.queue p where p.name = l.queue and p.paused_at is not null)
              order by l.queue limit 1)
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
