-- Locks: those of erase_jobs.
create or replace function fairclaim.delete_jobs(p_tenant_id uuid, p_ids uuid[])
returns table (id uuid, status text, deleted boolean)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
as $$
#variable_conflict use_column
declare
  v_ids uuid[];
  v_tenants uuid[];
  v_gone uuid[];
  v_were text[];
begin
  perform check_scope(p_tenant_id, p_ids);
  select array_agg(known.id), array_agg(known.tenant_id) into v_ids, v_tenants
    from find_jobs(p_tenant_id, p_ids) known;
  select array_agg(erased.id), array_agg(erased.status) into v_gone, v_were
    from erase_jobs(v_ids, v_tenants) erased;
  if v_gone is not null then
    raise log 'fairclaim: % jobs deleted by %', cardinality(v_gone), session_user;
  end if;
  return query
  select stands.id, coalesce(gone.status, stands.status), gone.id is not null
    from status_of(p_tenant_id, p_ids) with ordinality stands(id, status, place)
    left join unnest(v_gone, v_were) gone(id, status) on gone.id = stands.id
   order by stands.place;
end
$$;

comment on function fairclaim.delete_jobs(uuid, uuid[]) is
'Deletes jobs (1 to 10,000 ids) that wait (scheduled, pending) or have ended (completed, failed, cancelled), with their results, errors and history, for operators. A running one is never deleted: cancel it, or release it, and delete it when it has ended. Returns a row for each id, in order: deleted, and the status that the job had; or not deleted, and the status that it has now. Not deleted and pending, scheduled or ended is one that another transaction moves at this moment: call it again. A null status: this tenant has no such job. p_tenant_id null: every tenant''s. The server''s log says who did it.
Errors: JQ002, JQ004.';

grant execute on function fairclaim.delete_jobs(uuid, uuid[]) to fairclaim_operator;
