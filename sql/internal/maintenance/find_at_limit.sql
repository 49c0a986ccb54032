-- Finds who is at a limit now, and since when nothing has changed about that: the jobs that run
-- under it are the same, by the latest of their leases, which each claim and each heartbeat moves.
-- Who is at it for a second is stable: its jobs are long, and claims need not come by until one of
-- them has ended. So is who waits for its rate for longer than two ticks. Limits of 0 let nothing
-- run. Reads all of `running`, a small table.
create or replace function fairclaim_internal.find_at_limit(p_now timestamptz) returns void
language plpgsql
set enable_seqscan = on
set enable_hashjoin = on
set enable_sort = on
as $$
declare
  v_tenants uuid[];
  v_queues text[];
  v_newest timestamptz[];
  v_total int := (select usual.total from default_limits('') usual);
begin
  with recursive part as materialized (
    select running.tenant_id, running.queue_group, count(*) as jobs,
           max(running.lease_expires_at) as newest
      from running where running.limited group by running.tenant_id, running.queue_group),
  hop(queue) as (                             -- the queues that have limits, one by one
    (select bound.queue from running_limit bound
      where bound.queue <> '' order by bound.queue limit 1)
    union all
    select (select bound.queue from running_limit bound
             where bound.queue <> '' and bound.queue > hop.queue order by bound.queue limit 1)
      from hop where hop.queue is not null),
  limited_queue as materialized (
    select named.queue, lane_group(named.queue) as queue_group, usual.here
      from hop named
     cross join lateral default_limits(named.queue) usual
     where named.queue is not null),
  waits as materialized (                     -- for its rate, for longer than two ticks
    select used.tenant_id, coalesce(limited_queue.queue, '') as queue
      from rate_use used
      left join limited_queue on limited_queue.queue_group = used.queue_group
     where used.due_at > p_now + interval '2 s'
       and used.tenant_id <> '00000000-0000-0000-0000-000000000000'
       and (used.queue_group = 0 or limited_queue.queue is not null)
       and not exists (
             select from rate_use later
              where later.tenant_id = used.tenant_id and later.queue_group = used.queue_group
                and later.use_id > used.use_id)
       and exists (select from rates_of(used.tenant_id, coalesce(limited_queue.queue, '')) rate
                    where rate.queue = coalesce(limited_queue.queue, ''))),
  full_now(tenant_id, queue, newest) as (
    select waits.tenant_id, waits.queue, 'infinity'::timestamptz from waits
    union all
    select whole.tenant_id, '', whole.newest
      from (select part.tenant_id, sum(part.jobs) as jobs, max(part.newest) as newest
              from part group by part.tenant_id) whole
     cross join lateral limits_of(whole.tenant_id, '', v_total, null) bound
     where whole.jobs >= bound.total
    union all
    select part.tenant_id, limited_queue.queue, part.newest
      from part
      join limited_queue on limited_queue.queue_group = part.queue_group
     cross join lateral limits_of(
       part.tenant_id, limited_queue.queue, null, limited_queue.here) bound
     where part.jobs >= bound.here
    union all
    select closed.tenant_id, closed.queue, '-infinity'
      from running_limit closed
     where closed.subject = 'tenant' and closed.max_running = 0)
  select array_agg(one.tenant_id), array_agg(one.queue), array_agg(one.newest)
    into v_tenants, v_queues, v_newest
    from (select full_now.tenant_id, full_now.queue collate "C" as queue,
                 max(full_now.newest) as newest
            from full_now group by full_now.tenant_id, full_now.queue) one;
  delete from at_limit
   where at_limit.ctid = any (array(
     select past.ctid from at_limit past
      where (past.tenant_id, past.queue) not in (
              select now_full.tenant_id, now_full.queue collate "C"
                from unnest(v_tenants, v_queues) now_full(tenant_id, queue))
        for update skip locked));
  update at_limit
     set newest = changed.newest, is_stable = changed.is_stable,
         since = case when changed.newest = at_limit.newest then at_limit.since else p_now end
    from (select noted.ctid as place, now_full.newest,
                 now_full.newest = 'infinity'
                 or now_full.newest = noted.newest
                    and noted.since not between p_now - interval '0.9 s' and p_now as is_stable
            from at_limit noted
            join unnest(v_tenants, v_queues, v_newest) now_full(tenant_id, queue, newest)
              on now_full.tenant_id = noted.tenant_id
             and now_full.queue collate "C" = noted.queue
           where now_full.newest <> noted.newest
              or not noted.is_stable
                 and noted.since not between p_now - interval '0.9 s' and p_now
             for update of noted skip locked) changed
   where at_limit.ctid = changed.place;
  insert into at_limit (tenant_id, queue, newest, since, is_stable)
  select now_full.tenant_id, now_full.queue, now_full.newest, p_now, now_full.newest = 'infinity'
    from unnest(v_tenants, v_queues, v_newest) now_full(tenant_id, queue, newest)
   where (now_full.tenant_id, now_full.queue collate "C") not in (
           select noted.tenant_id, noted.queue from at_limit noted);
end
$$;

comment on function fairclaim_internal.find_at_limit(timestamptz) is
'Notes which tenants are at a limit, and which of them stay there.';
