-- Charges the rates of those whose jobs a claim has taken, a unit a job. The claim holds their
-- slots of claim_lock, so the row that is newest now is the newest still when this one is
-- committed. A row that a tick deletes at this moment has expired, and counts for nothing. p_now is
-- the time of this moment and not that at which the claim began: a claim that had to wait would
-- give its waiting to the next one as room. Times are rounded up.
create or replace function fairclaim_internal.charge_rates(
  p_jobs fairclaim_internal.ready[],
  p_queues text[],
  p_now timestamptz
) returns void
language plpgsql
set enable_sort = on
as $$
begin
  with taken as materialized (
    select job.tenant_id, p_queues[job.place] collate "C" as queue, count(*) as jobs
      from unnest(p_jobs) with ordinality
           job(lane_id, seq, id, tenant_id, attempts, attempts_left, lost, watched, place)
     group by 1, 2),
  charged as materialized (
    select taken.tenant_id, case when rate.queue = '' then 0 else lane_group(taken.queue) end
             as queue_group,
           sum(taken.jobs)::float8 as jobs, max(rate.units) as units, max(rate.period) as period,
           max(rate.burst) as burst
      from taken cross join lateral rates_of(taken.tenant_id, taken.queue) rate
     group by 1, 2
    union all
    select '00000000-0000-0000-0000-000000000000'::uuid, lane_group(taken.queue),
           sum(taken.jobs)::float8,
           max(rate.units), max(rate.period), max(rate.burst)
      from taken
      join running_limit rate
        on rate.tenant_id = '00000000-0000-0000-0000-000000000000' and rate.queue = taken.queue
       and rate.subject = 'queue' and rate.units is not null
     group by 1, 2),
  last as materialized (
    select charged.tenant_id, charged.queue_group, newest.place, newest.paid_until
      from charged
     cross join lateral (
       select used.ctid as place, used.paid_until from rate_use used
        where used.tenant_id = charged.tenant_id and used.queue_group = charged.queue_group
        order by used.tenant_id desc, used.queue_group desc, used.use_id desc
        limit 1 for update skip locked) newest),
  gone as (
    delete from rate_use where rate_use.ctid = any (array(select last.place from last)))
  insert into rate_use (tenant_id, queue_group, paid_until, due_at)
  select owed.tenant_id, owed.queue_group, owed.paid_until,
         owed.paid_until - make_interval(secs => (owed.burst - 1) * owed.period / owed.units)
    from (select charged.*,
                 greatest(p_now, coalesce(last.paid_until, p_now))
                   + make_interval(secs =>
                       ceil(charged.jobs * charged.period / charged.units * 1e6) / 1e6)
                   as paid_until
            from charged
            left join last on last.tenant_id = charged.tenant_id
                          and last.queue_group = charged.queue_group) owed;
end
$$;

comment on function fairclaim_internal.charge_rates(fairclaim_internal.ready[], text[],
    timestamptz) is
'Charges the rates of tenants and queues for the jobs of a claim.';
