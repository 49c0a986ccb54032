-- A lease does not tell whether its worker is gone, but an operator may know. Reads `running`,
-- which has as many rows as jobs run; names the 20 workers whose leases end last.
create or replace function fairclaim_internal.findings_of_leases()
returns table (level text, name text, seen text, advice text)
language sql volatile
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
as $$
  with holder as (
    select held.worker_id, count(*) as jobs,
           extract(epoch from max(held.lease_expires_at) - moment.now_at)::float8 as seconds
      from (select fairclaim.clock() as now_at offset 0) moment
      -- when such a worker dies, its jobs stand still for so long that an operator should know
      join running held on held.lease_expires_at > moment.now_at + interval '1 hour'
     group by held.worker_id, moment.now_at
     order by 3 desc, 1 limit 20),
  told as (
    select 'workers hold jobs for more than an hour from now: ' || some_of(array_agg(
             format('%s (%s, for %s)', holder.worker_id, holder.jobs, span(holder.seconds))
             order by holder.seconds desc, holder.worker_id)) as seen,
           max(holder.seconds) > 86400 as is_beyond        -- no claim or heartbeat gives more
      from holder)
  select case when told.is_beyond then 'warning' else 'note' end, 'long_leases',
         told.seen || case when told.is_beyond
                           then '; no lease is longer than 24 h, so the database''s clock was '
                                || 'ahead when they were given' else '' end,
         case when told.is_beyond
              then '`fairclaim jobs release --worker ID` takes its jobs back at once (stop the '
                   || 'worker first); else they wait until then'
              else 'if such a worker is gone, `fairclaim jobs release --worker ID` takes its jobs '
                   || 'back at once; else they wait until then' end
    from told where told.seen is not null
$$;

comment on function fairclaim_internal.findings_of_leases() is
'Finds workers that hold jobs for more than an hour from now.';
