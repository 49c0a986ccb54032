-- Finds who is at a limit now, and since when nothing has changed about that: the jobs that run
-- under it are the same, by a hash of their ids and tokens, which claims and settlements change and
-- heartbeats do not. Who is at it for a second is stable: its jobs are long, and claims need not
-- come by until one of them has ended. So is who waits for its rate for longer than two ticks.
-- Limits of 0 let nothing run. Reads all of `running`, a small table.
create or replace function fairclaim_internal.find_at_limit(p_now timestamptz) returns void
language plpgsql
set enable_seqscan = on
set enable_hashjoin = on
set enable_sort = on
as $$
declare
  v_tenants uuid[];
  v_queues text[];
  v_jobs bigint[];
  v_waits boolean[];                          -- for a rate
  v_total int := (select usual.total from default_limits('') usual);
begin
  with recursive part as materialized (
    select running.tenant_id, running.queue_group, count(*) as jobs,
           bit_xor(uuid_hash_extended(running.id, uuid_hash_extended(running.lease_token, 0)))
             as hash
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
  full_now(tenant_id, queue, hash, waits) as (
    select waits.tenant_id, waits.queue, 0::bigint, true from waits
    union all
    select whole.tenant_id, '', whole.hash, false
      from (select part.tenant_id, sum(part.jobs) as jobs, bit_xor(part.hash) as hash
              from part group by part.tenant_id) whole
     cross join lateral limits_of(whole.tenant_id, '', v_total, null) bound
     where whole.jobs >= bound.total
    union all
    select part.tenant_id, limited_queue.queue, part.hash, false
      from part
      join limited_queue on limited_queue.queue_group = part.queue_group
     cross join lateral limits_of(
       part.tenant_id, limited_queue.queue, null, limited_queue.here) bound
     where part.jobs >= bound.here
    union all
    select closed.tenant_id, closed.queue, 0, false
      from running_limit closed
     where closed.subject = 'tenant' and closed.max_running = 0)
  select array_agg(one.tenant_id), array_agg(one.queue), array_agg(one.hash),
         array_agg(one.waits)
    into v_tenants, v_queues, v_jobs, v_waits
    from (select full_now.tenant_id, full_now.queue collate "C" as queue,
                 bit_xor(full_now.hash) as hash, bool_or(full_now.waits) as waits
            from full_now group by full_now.tenant_id, full_now.queue) one;
  delete from at_limit
   where at_limit.ctid = any (array(
     select past.ctid from at_limit past
      where (past.tenant_id, past.queue) not in (
              select now_full.tenant_id, now_full.queue collate "C"
                from unnest(v_tenants, v_queues) now_full(tenant_id, queue))
        for update skip locked));
  update at_limit
     set jobs = changed.jobs, is_stable = changed.is_stable,
         since = case when changed.jobs = at_limit.jobs then at_limit.since else p_now end
    from (select noted.ctid as place, now_full.jobs,
                 now_full.waits
                 or now_full.jobs = noted.jobs
                    and noted.since not between p_now - interval '0.9 s' and p_now as is_stable
            from at_limit noted
            join unnest(v_tenants, v_queues, v_jobs, v_waits)
                   now_full(tenant_id, queue, jobs, waits)
              on now_full.tenant_id = noted.tenant_id
             and now_full.queue collate "C" = noted.queue
           where now_full.jobs <> noted.jobs or now_full.waits and not noted.is_stable
              or not noted.is_stable
                 and noted.since not between p_now - interval '0.9 s' and p_now
             for update of noted skip locked) changed
   where at_limit.ctid = changed.place;
  insert into at_limit (tenant_id, queue, jobs, since, is_stable)
  select now_full.tenant_id, now_full.queue, now_full.jobs, p_now, now_full.waits
    from unnest(v_tenants, v_queues, v_jobs, v_waits) now_full(tenant_id, queue, jobs, waits)
   where (now_full.tenant_id, now_full.queue collate "C") not in (
           select noted.tenant_id, noted.queue from at_limit noted);
end
$$;

comment on function fairclaim_internal.find_at_limit(timestamptz) is
'Notes which tenants are at a limit, and which of them stay there.';
