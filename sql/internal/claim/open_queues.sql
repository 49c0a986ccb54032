-- The given queues in their order, less the paused ones. Null stands for every queue that has
-- lanes, by name: their names are hopped to through the two walking indexes of `lane`, one hop a
-- queue.
create or replace function fairclaim_internal.open_queues(p_queues text[]) returns text[]
language plpgsql stable
as $$
declare
  v_queues text[] := p_queues;
begin
  if v_queues is null then
    with recursive
      own(queue) as (
        (select lane.queue from lane where lane.tenant_id is not null order by lane.queue limit 1)
        union all
        select (select lane.queue from lane
                 where lane.tenant_id is not null and lane.queue > own.queue
                 order by lane.queue limit 1)
          from own where own.queue is not null),
      shared(queue) as (
        (select lane.queue from lane where lane.tenant_id is null order by lane.queue limit 1)
        union all
        select (select lane.queue from lane
                 where lane.tenant_id is null and lane.queue > shared.queue
                 order by lane.queue limit 1)
          from shared where shared.queue is not null)
    select array_agg(either.queue) into v_queues
      from (select own.queue from own where own.queue is not null
            union
            select shared.queue from shared where shared.queue is not null
            order by 1) either;
  end if;
  if exists (select from queue where queue.paused_at is not null) then
    select array_agg(named.queue order by named.ordinal) into v_queues
      from unnest(v_queues) with ordinality named(queue, ordinal)
     where not exists (
             select from queue where queue.name = named.queue and queue.paused_at is not null);
  end if;
  return v_queues;
end
$$;

comment on function fairclaim_internal.open_queues(text[]) is
'The given queues, or all that have lanes, less the paused ones.';
