-- Moves the final fact into the history and the job back into a lane, with its attempts refilled; a
-- scheduled job becomes due now. Lock order: scheduled, finished, cancel_request, each skip locked.
create or replace function fairclaim.retry_jobs(p_tenant_id uuid, p_ids uuid[])
returns table (id uuid, status text)
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
  v_watched boolean[];
begin
  p_tenant_id := check_scope(p_tenant_id, p_ids);
  with due as materialized (
    select scheduled.ctid as place from scheduled
     where scheduled.id = any (p_ids)
       and (p_tenant_id is null or scheduled.tenant_id = p_tenant_id) for update skip locked),
  now_due as (
    delete from scheduled where scheduled.ctid = any (array(select due.place from due))
    returning scheduled.id, scheduled.tenant_id, scheduled.attempts, scheduled.attempts_left,
              scheduled.lost, scheduled.watched),
  back as (
    select now_due.id, now_due.tenant_id, now_due.attempts, now_due.attempts_left, now_due.lost,
           now_due.watched
      from now_due
    union all
    select ended.id, ended.tenant_id, ended.attempts, ended.attempts_left, ended.lost, ended.watched
      from reopen_ended(p_tenant_id, p_ids) ended)
  select array_agg(back.tenant_id), array_agg(back.id), array_agg(back.attempts),
         array_agg(back.attempts_left), array_agg(back.lost), array_agg(back.watched)
    into v_tenants, v_ids, v_attempts, v_left, v_lost, v_watched
    from back;
  if v_ids is not null then
    perform drop_wishes(v_ids);
    perform to_ready(v_tenants, v_ids, v_attempts, v_left, v_lost, v_watched);
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
