-- Reports go into the sums of their tenants, a slice. What was there counts less the older it is,
-- to a third in half a minute, but never for less than four jobs, so that one odd run after a pause
-- does not stand for all. Locks reports (skip locked), then rows of tenant_time. Of two ticks of
-- which one never ends, the other waits in vain for a tenant of both, for as long as the time-out
-- of tick's locks; see work_steps.
create or replace function fairclaim_internal.fold_times(p_at timestamptz, p_size int) returns int
language plpgsql
as $$
declare
  v_done int;
  v_queues text[];
  v_tenants uuid[];
  v_jobs float8[];
  v_seconds float8[];
begin
  with taken as (
    delete from time_report gone
     where gone.ctid = any (array(
       select report.ctid from time_report report
        order by report.report_id limit p_size for update skip locked))
    returning gone.queue, gone.tenant_id, gone.jobs, gone.seconds),
  summed as (
    select taken.queue, taken.tenant_id, count(*) as reports, sum(taken.jobs) as jobs,
           sum(taken.seconds) as seconds
      from taken group by taken.queue, taken.tenant_id)
  select sum(summed.reports), array_agg(summed.queue), array_agg(summed.tenant_id),
         array_agg(summed.jobs), array_agg(summed.seconds)
    into v_done, v_queues, v_tenants, v_jobs, v_seconds
    from summed;
  if v_done is null then
    return 0;
  end if;
  insert into tenant_time as known (queue, tenant_id, jobs, seconds, at)
  select report.queue, report.tenant_id, report.jobs, report.seconds, p_at
    from unnest(v_queues, v_tenants, v_jobs, v_seconds) report(queue, tenant_id, jobs, seconds)
   where exists (
           select from queue where queue.name = report.queue and queue.fair_by = 'seconds')
   order by report.queue collate "C", report.tenant_id
      on conflict (queue, tenant_id) do update
     set (jobs, seconds, at) = (
           select excluded.jobs + known.jobs * kept.part,
                  excluded.seconds + known.seconds * kept.part, excluded.at
             from (select greatest(
                            exp(-least(100, greatest(
                              0, extract(epoch from excluded.at - known.at) / 30.0)))::float8,
                            least(1, 4 / greatest(known.jobs, 1))) as part) kept);
  return v_done;
end
$$;

comment on function fairclaim_internal.fold_times(timestamptz, int) is
'Adds what workers have reported to the smoothed run times of tenants. Returns how many reports it took.';
