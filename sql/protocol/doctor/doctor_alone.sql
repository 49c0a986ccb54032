-- Jobs whose workers died twice stand in lanes that only a claim with p_alone walks, so nobody runs them where no client asks so. Bounded:
-- at most 100 such lanes, and of each the first 16 jobs that wait for no limit of their tenant. A job has waited since its
-- worker was lost; one that was put off meanwhile still stands alone.
create or replace function fairclaim.doctor_alone() returns table (queue text, type text, paused boolean, jobs bigint, waits float8, first_id uuid)
language sql volatile security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
as $$
  select l.queue, l.type, exists (select from queue x where x.name = l.queue and x.paused_at is not null),
         count(*), date_part('epoch', fairclaim.clock() - min(s.since)), (array_agg(s.id order by s.since, s.id))[1]
    from (select l.queue, l.type, l.lane_id, l.floor from lane l where l.alone order by l.queue, l.type, l.lane_id limit 100) l
   cross join lateral (
     select y.id, y.tenant_id from ready y
      where y.lane_id = l.lane_id and y.seq >= l.floor
        and not exists (select from tenant_limit b where b.tenant_id = y.tenant_id)
      order by y.lane_id, y.seq limit 16) y
   cross join lateral (
     select y.id, coalesce((select max(e.at) from attempt_error e where e.id = y.id and e.tenant_id = y.tenant_id), fairclaim.clock()) as since
     offset 0) s
   group by l.queue, l.type
   order by 5 desc
$$;

comment on function fairclaim.doctor_alone() is
'The queues and types in which jobs wait whose workers died twice and which run alone, those that wait longest first: whether the queue is paused, how many were seen, for how many seconds the first has waited, and which that is. A sample that looks at a bounded number of jobs, for `fairclaim doctor`. For operators and observers.';

grant execute on function fairclaim.doctor_alone() to fairclaim_operator, fairclaim_observer;
