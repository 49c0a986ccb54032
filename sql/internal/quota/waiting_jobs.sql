-- Counts what waits of each tenant, in one queue or ('') in all, up to p_most each:
-- - in own lanes, from their floors on; where tick has counted them, what tick counted and what
--   came after its mark;
-- - in shared lanes, of which a light tenant has a handful of rows;
-- - delayed jobs that have not run yet: those that tick has noted, and the newer ones.
-- A job that waits for its retry counts again when it is back in a lane. Each look goes by an index
-- and ends at p_most rows, so a large quota costs what was dispatched since the last tick. What was
-- claimed since is still counted there until a pass of tick has gone by.
--
-- The order of the joins is pinned: the tables may be full when the statistics say "empty".
create or replace function fairclaim_internal.waiting_jobs(
  p_tenants uuid[],
  p_queues text[],
  p_most int[]
) returns table (place int, jobs int)
language plpgsql stable
set jit = off
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_nestloop = on
set plan_cache_mode = force_generic_plan
as $$
declare
  v_now timestamptz := fairclaim.clock();
  v_fresh uuid := (select quota_place.fresh from quota_place);
begin
  return query
  select asked.place::int,
         least(asked.most, coalesce(known.jobs, 0) + own.jobs + shared.jobs
                           + noted.jobs + fresh.jobs)::int
    from unnest(p_tenants, p_queues collate "C", p_most) with ordinality
         asked(tenant_id, queue, most, place)
    left join lateral (
      select waiting_count.jobs, waiting_count.mark from waiting_count
       where waiting_count.tenant_id = asked.tenant_id and waiting_count.queue = asked.queue
      offset 0) known on true
   cross join lateral (
     select count(*) as jobs
       from (select
               from (select lane.lane_id, lane.floor from lane
                      where lane.tenant_id = asked.tenant_id
                        and lane.queue >= asked.queue
                        and (asked.queue = '' or lane.queue = asked.queue) offset 0) own_lane
              cross join lateral (
                select from ready
                 where ready.lane_id = own_lane.lane_id
                   and ready.seq >= greatest(own_lane.floor, known.mark + 1)
                 order by ready.lane_id, ready.seq limit asked.most) waiting
              limit asked.most) counted) own
   cross join lateral (
     select count(*) as jobs
       from (select from ready
              where ready.tenant_id = asked.tenant_id
                and (ready.lane_id >> 32)
                    >= case when asked.queue = '' then -4294967296 else lane_group(asked.queue) end
                and (ready.lane_id >> 32)
                    <= case when asked.queue = '' then -1 else lane_group(asked.queue) end
              limit asked.most) counted) shared
   cross join lateral (
     select count(*) as jobs
       from (select from delayed_job
              where delayed_job.tenant_id = asked.tenant_id and delayed_job.run_at > v_now
                and (asked.queue = '' or delayed_job.queue = asked.queue)
              limit asked.most) counted) noted
   cross join lateral (
     select count(*) as jobs
       from (select from scheduled
              where scheduled.id > v_fresh and scheduled.tenant_id = asked.tenant_id
                and scheduled.attempts = 0
                and (asked.queue = '' or exists (
                       select from job
                        where job.tenant_id = scheduled.tenant_id and job.id = scheduled.id
                          and job.queue = asked.queue offset 0))
              limit asked.most) counted) fresh;
end
$$;

comment on function fairclaim_internal.waiting_jobs(uuid[], text[], int[]) is
'How many jobs of each of these tenants wait, in one queue or (empty name) in all, counted up to p_most each.';
