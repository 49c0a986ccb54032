-- Moves the final fact into the history and the job back into a lane, with its attempts refilled; a scheduled one becomes due now.
create or replace function fairclaim.retry_jobs(p_tenant_id uuid, p_ids uuid[]) returns table (id uuid, status text)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
as $$
#variable_conflict use_column
declare
  v_tenants uuid[];
  v_ids uuid[];
  v_attempts int[];
  v_left smallint[];
  v_lost smallint[];
begin
  p_tenant_id := check_scope(p_tenant_id, p_ids);
  with due as materialized (
    select s.ctid c from scheduled s
     where s.id = any (p_ids) and (p_tenant_id is null or s.tenant_id = p_tenant_id) for update skip locked),
  now_due as (
    delete from scheduled s where s.ctid = any (array(select due.c from due))
    returning s.id, s.tenant_id, s.attempts, s.attempts_left, s.lost),
  locked as materialized (
    select f.id, f.tenant_id from finished f
     where f.id = any (p_ids) and (p_tenant_id is null or f.tenant_id = p_tenant_id) for update skip locked),
  ended as (
    delete from finished f using locked x where f.id = any (p_ids) and f.id = x.id and f.tenant_id = x.tenant_id
    returning f.id, f.tenant_id, f.attempts, f.status, f.completed_at, f.worker_id, f.error),
  history as (
    insert into attempt_error
    select e.id, e.tenant_id, e.attempts, e.completed_at, e.worker_id,
           coalesce(e.error, '{}') || jsonb_build_object('ended_as', e.status)
      from ended e
    on conflict (id, attempt, tenant_id) do update set error = coalesce(attempt_error.error, '{}') || excluded.error),
  back as (
    select d.id, d.tenant_id, d.attempts, d.attempts_left, d.lost from now_due d
    union all
    select e.id, e.tenant_id, e.attempts, j.max_attempts, 0::smallint
      from ended e
     cross join lateral (select j.max_attempts from job j where j.tenant_id = e.tenant_id and j.id = e.id offset 0) j)
  select array_agg(b.tenant_id), array_agg(b.id), array_agg(b.attempts), array_agg(b.attempts_left), array_agg(b.lost)
    into v_tenants, v_ids, v_attempts, v_left, v_lost
    from back b;
  if v_ids is not null then
    -- an older wish to cancel does not hold for the new attempts
    delete from cancel_request c
     where c.ctid = any (array(select z.ctid from cancel_request z where z.id = any (v_ids) for update skip locked));
    perform to_ready(v_tenants, v_ids, v_attempts, v_left, v_lost);
    perform wake(fairclaim.clock());
  end if;
  return query select * from status_of(p_tenant_id, p_ids);
end
$$;

comment on function fairclaim.retry_jobs(uuid, uuid[]) is
'Runs jobs again: a finished one (failed, cancelled, completed) waits again with all its attempts, its final fact goes into the history, and attempts goes on counting; a scheduled one becomes due now. Returns the status of each id, null for one that this tenant does not have. p_tenant_id null: operators only.
Errors: JQ002, JQ004.';

grant execute on function fairclaim.retry_jobs(uuid, uuid[])
  to fairclaim_producer, fairclaim_operator;
