-- What waits ends at once (locks: those of end_waiting). What runs, or is about to, or is being
-- settled or promoted at this moment, gets a row in cancel_request, for which nothing waits:
-- heartbeats, settlements and ticks look for it, and workers are told to ask.
create or replace function fairclaim.cancel_jobs(p_tenant_id uuid, p_ids uuid[])
returns table (id uuid, status text)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
as $$
#variable_conflict use_column
declare
  v_now timestamptz := fairclaim.clock();
  v_ids uuid[];
  v_tenants uuid[];
begin
  p_tenant_id := check_scope(p_tenant_id, p_ids);
  select array_agg(known.id), array_agg(known.tenant_id) into v_ids, v_tenants
    from find_jobs(p_tenant_id, p_ids) known;
  perform end_waiting(v_ids, v_tenants, v_now);
  insert into cancel_request (id, tenant_id, at)
  select job.id, job.tenant_id, v_now
    from unnest(v_ids, v_tenants) job(id, tenant_id)
   where not exists (
           select from finished
            where finished.id = job.id and finished.tenant_id = job.tenant_id)
     -- a wish whose row is locked is being deleted
     and not exists (
           select from cancel_request wish where wish.id = job.id for key share skip locked);
  if found then
    perform wake_cancel(v_now);
  end if;
  return query select * from status_of(p_tenant_id, p_ids);
end
$$;

comment on function fairclaim.cancel_jobs(uuid, uuid[]) is
'Cancels jobs: a waiting one ends as cancelled at once; a running one is marked, its worker is told (at once where it listens, else at its next heartbeat), and the answer is processing. One that another transaction moves at this moment is answered as it still stands, and ends as cancelled within a few ticks. Returns the status of each id, null for one that this tenant does not have. p_tenant_id null: operators only; then a waiting job is found without its tenant''s index, which is slower.
Errors: JQ002, JQ004.';

grant execute on function fairclaim.cancel_jobs(uuid, uuid[])
  to fairclaim_producer, fairclaim_operator;
