-- Jobs whose workers died twice stand in lanes that only a claim with p_alone walks, so none runs
-- where no client asks so. Bounded: at most 100 such lanes, and of each the first 16 jobs that wait
-- for no limit of their tenant. A job has waited since its worker was lost; one that was put off
-- meanwhile still stands alone.
create or replace function fairclaim_internal.findings_of_suspects()
returns table (level text, name text, seen text, advice text)
language sql volatile
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
as $$
  with suspect as (
    select alone.queue, alone.type, count(*) as jobs,
           (array_agg(lost.id order by lost.since, lost.id))[1] as first,
           extract(epoch from fairclaim.clock() - min(lost.since))::float8 as seconds
      from (select lane.queue, lane.type, lane.lane_id, lane.floor from lane
             where lane.alone order by lane.queue, lane.type, lane.lane_id limit 100) alone
     cross join lateral (
       select ready.id, ready.tenant_id from ready
        where ready.lane_id = alone.lane_id and ready.seq >= alone.floor
          and not exists (
                select from running_limit bound
                 where bound.tenant_id = ready.tenant_id and bound.subject = 'tenant')
        order by ready.lane_id, ready.seq limit 16) waits
     cross join lateral (
       select waits.id,
              coalesce((select max(past.at) from attempt_error past
                         where past.id = waits.id and past.tenant_id = waits.tenant_id),
                       fairclaim.clock()) as since
       offset 0) lost
     group by alone.queue, alone.type),
  unclaimed as (
    -- a worker that asks for such jobs takes them within minutes
    select array_agg(format('%s of %s in %s (for %s, first %s)', suspect.jobs, suspect.type,
                            suspect.queue, span(suspect.seconds), suspect.first)
                     order by suspect.seconds desc) as names
      from suspect
     where suspect.seconds > 600
       and not exists (select from queue
                        where queue.name = suspect.queue and queue.paused_at is not null))
  select 'warning', 'suspects',
         'jobs whose workers died twice wait, and no worker runs them: '
         || some_of(unclaimed.names),
         'start `fairclaim work` or a worker of the library with a handler for that type, which '
         || 'runs such jobs alone; a client of your own asks for them by '
         || 'claim_jobs(..., 1, p_alone => true) while it holds nothing else; or end them: '
         || '`fairclaim jobs cancel ID`'
    from unclaimed where unclaimed.names is not null
$$;

comment on function fairclaim_internal.findings_of_suspects() is
'Finds jobs whose workers died twice and for which no client asks.';
