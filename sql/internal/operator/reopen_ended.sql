-- Moves the final facts of jobs into the history, and gives the jobs as they are to wait again,
-- with all their attempts: the caller puts them where they wait, and drops older wishes to cancel.
-- Locks rows of `finished` (skip locked).
create or replace function fairclaim_internal.reopen_ended(
  p_tenant_id uuid,
  p_ids uuid[],
  p_statuses text[] default null
) returns table (
  id uuid, tenant_id uuid, attempts int, attempts_left smallint, lost smallint, watched boolean
)
language plpgsql
as $$
#variable_conflict use_column
declare
  v_rows ready[];
begin
  with locked as materialized (
    select finished.id, finished.tenant_id from finished
     where finished.id = any (p_ids)
       and (p_tenant_id is null or finished.tenant_id = p_tenant_id)
       and (p_statuses is null or finished.status = any (p_statuses)) for update skip locked),
  ended as (
    delete from finished using locked
     where finished.id = any (p_ids)
       and finished.id = locked.id and finished.tenant_id = locked.tenant_id
    returning finished.id, finished.tenant_id, finished.attempts, finished.status,
              finished.completed_at, finished.worker_id, finished.error),
  history as (
    insert into attempt_error (id, tenant_id, attempt, at, worker_id, error)
    select ended.id, ended.tenant_id, ended.attempts, ended.completed_at, ended.worker_id,
           coalesce(ended.error, '{}') || jsonb_build_object('ended_as', ended.status)
      from ended
    on conflict (id, attempt, tenant_id) do update
       set error = coalesce(attempt_error.error, '{}') || excluded.error)
  select array_agg(row (0, 0, ended.id, ended.tenant_id, ended.attempts,
                        known.max_attempts, 0, known.key is not null)::ready)
    into v_rows
    from ended
   cross join lateral (             -- one look by key for each, and no join of all jobs
     select job.max_attempts, job.key from job
      where job.tenant_id = ended.tenant_id and job.id = ended.id offset 0) known;
  return query
  select back.id, back.tenant_id, back.attempts, back.attempts_left, back.lost, back.watched
    from unnest(v_rows) back;
end
$$;

comment on function fairclaim_internal.reopen_ended(uuid, uuid[], text[]) is
'Takes back the ends of jobs, or of those with one of these statuses, and returns them with their attempts refilled. They are in no table of states then.';
