-- Ends waiting jobs as cancelled. Lock order: ready, scheduled, held, each skip locked, then what
-- job_ended locks: a locked row is
-- being claimed, moved or promoted at this moment. Waiting rows are found among the rows that the
-- tenant has in own lanes or in the shared lanes of the queue, by index whatever the statistics
-- say: so sequential scans, hash joins and merge joins are off.
create or replace function fairclaim_internal.end_waiting(
  p_ids uuid[],
  p_tenants uuid[],
  p_now timestamptz
) returns void
language plpgsql
set jit = off
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
  v_watched uuid[];
begin
  with known as materialized (
    select found.id, found.tenant_id, found.queue
      from unnest(p_ids, p_tenants) asked(id, tenant_id)
     cross join lateral (
       select job.* from job
        where job.tenant_id = asked.tenant_id and job.id = asked.id offset 0) found),
  pending as materialized (
    select waiting.place from known
     cross join lateral (
       select ready.ctid as place from ready
        where ready.tenant_id = known.tenant_id
          and (ready.lane_id >> 32) = any (array[0, lane_group(known.queue)])
          and ready.id = known.id
          for update skip locked) waiting),
  taken as (
    delete from ready where ready.ctid = any (array(select pending.place from pending))
    returning ready.id, ready.tenant_id, ready.attempts, ready.watched),
  delayed as materialized (
    select scheduled.ctid as place from scheduled
     where scheduled.id = any (array(select known.id from known)) for update skip locked),
  unscheduled as (
    delete from scheduled where scheduled.ctid = any (array(select delayed.place from delayed))
    returning scheduled.id, scheduled.tenant_id, scheduled.attempts, scheduled.watched),
  behind as materialized (
    select held.ctid as place from held
     where held.id = any (array(select known.id from known)) for update skip locked),
  unheld as (
    delete from held where held.ctid = any (array(select behind.place from behind))
    returning held.id, held.tenant_id, held.attempts),
  final as (
    insert into finished (id, tenant_id, completed_at, attempts, status)
    select ended.id, ended.tenant_id, p_now, ended.attempts, 'cancelled'
      from (select taken.id, taken.tenant_id, taken.attempts from taken
            union all
            select unscheduled.id, unscheduled.tenant_id, unscheduled.attempts from unscheduled
            union all
            select unheld.id, unheld.tenant_id, unheld.attempts from unheld) ended)
  select array_agg(ended.id) into v_watched
    from (select taken.id from taken where taken.watched
          union all
          select unscheduled.id from unscheduled where unscheduled.watched) ended;
  if v_watched is not null and job_ended(v_watched) is not null then
    perform wake(p_now);
  end if;
end
$$;

comment on function fairclaim_internal.end_waiting(uuid[], uuid[], timestamptz) is
'Ends those of these jobs that wait, pending or scheduled, as cancelled. One whose row another transaction holds is passed over.';
