-- Deletes what waits or has ended, with everything that belongs to it. The row of `ready`,
-- `scheduled`, `held` or `finished` is a job's place, and the transaction that has locked it owns
-- the job: no other claims it, moves it, retries it, prunes it or adds an error to it. So the
-- places are taken first, and what belongs to the jobs is deleted by statements of their own. What
-- runs is left alone. Lock order: ready, scheduled, held, finished, each skip locked; then rows
-- that only the owner of a place deletes (attempt_error, job); then cancel_request (skip locked:
-- one that is missed here goes with one of the next ticks, since its job is gone). All of it by
-- index, whatever the statistics say. `offset 0` keeps a look at a row from becoming a join that
-- reads everything.
create or replace function fairclaim_internal.erase_jobs(p_ids uuid[], p_tenants uuid[])
returns table (id uuid, status text)
language plpgsql
set jit = off
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
  v_ids uuid[];
  v_tenants uuid[];
  v_statuses text[];
  v_watched uuid[];
begin
  with known as materialized (
    select job.id, job.tenant_id, job.queue
      from unnest(p_ids, p_tenants) wanted(id, tenant_id)
     cross join lateral (
       select known_job.id, known_job.tenant_id, known_job.queue from job known_job
        where known_job.tenant_id = wanted.tenant_id and known_job.id = wanted.id offset 0) job),
  waiting as materialized (
    select place.ctid
      from known
     cross join lateral (
       select ready.ctid from ready
        where ready.tenant_id = known.tenant_id and ready.id = known.id
          and (ready.lane_id >> 32) = any (array[0, lane_group(known.queue)])
          for update skip locked) place),
  from_ready as (
    delete from ready where ready.ctid = any (array(select waiting.ctid from waiting))
    returning ready.id, ready.tenant_id, ready.watched),
  due as materialized (
    select scheduled.ctid from scheduled
     where scheduled.id = any (array(select known.id from known)) for update skip locked),
  behind as materialized (
    select held.ctid from held
     where held.id = any (array(select known.id from known)) for update skip locked),
  from_held as (
    delete from held where held.ctid = any (array(select behind.ctid from behind))
    returning held.id, held.tenant_id),
  from_scheduled as (
    delete from scheduled where scheduled.ctid = any (array(select due.ctid from due))
    returning scheduled.id, scheduled.tenant_id, scheduled.watched),
  ended as materialized (
    select place.id, place.tenant_id, place.status
      from known
     cross join lateral (
       select finished.id, finished.tenant_id, finished.status from finished
        where finished.id = known.id and finished.tenant_id = known.tenant_id
          for update skip locked) place),
  taken as (
    select from_ready.id, from_ready.tenant_id, 'pending' as status from from_ready
    union all
    select from_scheduled.id, from_scheduled.tenant_id, 'scheduled' from from_scheduled
    union all
    select from_held.id, from_held.tenant_id, 'pending' from from_held
    union all
    select ended.id, ended.tenant_id, ended.status from ended)
  select array_agg(taken.id), array_agg(taken.tenant_id), array_agg(taken.status),
         (select array_agg(left_place.id)
            from (select from_ready.id from from_ready where from_ready.watched
                  union all
                  select from_scheduled.id from from_scheduled
                   where from_scheduled.watched) left_place)
    into v_ids, v_tenants, v_statuses, v_watched
    from taken;
  if v_ids is null then
    return;
  end if;
  delete from finished using unnest(v_ids, v_tenants) gone(id, tenant_id)
   where finished.id = gone.id and finished.tenant_id = gone.tenant_id;
  delete from attempt_error using unnest(v_ids, v_tenants) gone(id, tenant_id)
   where attempt_error.id = gone.id and attempt_error.tenant_id = gone.tenant_id;
  delete from job using unnest(v_ids, v_tenants) gone(id, tenant_id)
   where job.tenant_id = gone.tenant_id and job.id = gone.id;
  delete from cancel_request
   where cancel_request.ctid = any (array(
     select wish.ctid from cancel_request wish
      where wish.id = any (v_ids) for update skip locked));
  if v_watched is not null and job_ended(v_watched) is not null then
    perform wake(fairclaim.clock());
  end if;
  return query select gone.id, gone.status from unnest(v_ids, v_statuses) gone(id, status);
end
$$;

comment on function fairclaim_internal.erase_jobs(uuid[], uuid[]) is
'Deletes those of these jobs that wait or have ended, with everything that belongs to them, and returns each with the status that it had. One that runs, or whose row another transaction holds, is passed over.';
