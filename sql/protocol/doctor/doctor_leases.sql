-- Workers whose leases end far ahead, the farthest first, at most 20. Reads `running`, which has as many rows as jobs run.
create or replace function fairclaim.doctor_leases(p_beyond float8) returns table (worker_id text, jobs bigint, ends_in float8)
language sql volatile security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
as $$
  select r.worker_id, count(*), date_part('epoch', max(r.lease_expires_at) - x.now_at)
    from (select fairclaim.clock() as now_at offset 0) x
    join running r on r.lease_expires_at > x.now_at + make_interval(secs => p_beyond)
   group by r.worker_id, x.now_at
   order by 3 desc, 1
   limit 20
$$;

comment on function fairclaim.doctor_leases(float8) is
'Which workers hold jobs whose leases end later than p_beyond seconds from now, how many, and in how many seconds the last one ends, for `fairclaim doctor`. For operators and observers.';

grant execute on function fairclaim.doctor_leases(float8) to fairclaim_operator, fairclaim_observer;
