-- Writes the worker's own row, for which only a second worker of the same id would wait, and
-- appends what its handlers took. Figures are kept for tenants with an own lane in a queue that is
-- fair by seconds only: the turns of others do not depend on them.
-- A large fleet is asked to report more seldom, so that what is written does not grow with it.
create or replace function fairclaim.report_work(
  p_worker_id text,
  p_host text,
  p_version text,
  p_queues text[],
  p_slots int[],
  p_types text[] default null,
  p_silent_for float8 default 20,
  p_tenants uuid[] default null,
  p_tenant_queues text[] default null,
  p_jobs int[] default null,
  p_seconds float8[] default null
) returns table (report_in float8, by_seconds text[])
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
  v_now timestamptz := fairclaim.clock();
begin
  perform check_claim(p_worker_id, p_queues, 1, p_types, 30);
  perform check_report(p_host, p_version, p_queues, p_slots, p_silent_for,
    p_tenants, p_tenant_queues, p_jobs, p_seconds);
  if p_silent_for = 0 then
    delete from worker where worker.id = p_worker_id;
  else
    insert into worker as known (
      id, host, version, queues, slots, types, started_at, seen_at, silent_until)
    values (p_worker_id, p_host, p_version, p_queues, p_slots, p_types, v_now, v_now,
            v_now + make_interval(secs => p_silent_for))
    on conflict (id) do update
       set host = excluded.host, version = excluded.version, queues = excluded.queues,
           slots = excluded.slots, types = excluded.types, seen_at = excluded.seen_at,
           silent_until = excluded.silent_until;
  end if;
  report_in := least(30, greatest(5, (select count(*) from worker) / 10.0));
  select coalesce(array_agg(queue.name order by queue.name), '{}') into by_seconds
    from queue where queue.fair_by = 'seconds' and queue.name = any (p_queues collate "C");
  if by_seconds <> '{}' and cardinality(p_tenants) > 0 then
    insert into time_report (queue, tenant_id, jobs, seconds)
    select item.queue, item.tenant_id, item.jobs, item.seconds
      from unnest(p_tenants, p_tenant_queues, p_jobs, p_seconds)
           item(tenant_id, queue, jobs, seconds)
     cross join lateral (
       select from lane
        where lane.tenant_id = item.tenant_id and lane.queue = item.queue collate "C"
          and lane.turn = uuid_hash_extended(
                item.tenant_id, hashtextextended(item.queue collate "C", 0))
        limit 1) own
     where item.queue = any (by_seconds);
  end if;
  return next;
end
$$;

comment on function fairclaim.report_work(text, text, text, text[], int[], text[], float8, uuid[],
    text[], int[], float8[]) is
'Tells that a worker lives, for workers: at its start, and while it works when report_in (seconds) says so; when it is idle only beside a claim that it makes anyway. p_slots: how many jobs of each of p_queues it runs at once; p_types: null for every type. p_silent_for (0 to 86,400): for how many seconds there may be no further report before the worker counts as gone; 0 when it ends. p_host and p_version are for people.
by_seconds: which of p_queues are fair by seconds. For these, tell with the next report what each tenant took since the last one, in four lists of the same length (at most 1,000 items; leave out the least): p_tenants and p_tenant_queues, p_jobs (how many jobs) and p_seconds (how long their handlers ran, those that still run among them: 1 job and its seconds so far at first, 0 jobs and the further seconds later).
Nothing depends on a single report: leave one out that fails. Errors: JQ004.';

grant execute on function fairclaim.report_work(text, text, text, text[], int[], text[], float8,
    uuid[], text[], int[], float8[])
  to fairclaim_worker;
