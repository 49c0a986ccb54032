-- Jobs go by erase_jobs, with everything that belongs to them, in the order of their ids: so each
-- step begins behind what the last one deleted, and a purge that was killed begins anew and finds
-- less. When no job is left, what is known of the tenant itself goes (forget_tenant). Locks: those
-- of erase_jobs.
create or replace function fairclaim.purge_tenant(
  p_tenant_id uuid,
  p_after uuid default null,
  p_limit int default 1000,
  p_why text default null
) returns table (
  jobs int, errors int, running int, passed int, settings int, next uuid, more boolean
)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
  v_ids uuid[];
begin
  jobs := 0; errors := 0; running := 0; passed := 0; settings := 0;
  select step.ids, step.next into v_ids, next
    from tenant_jobs(p_tenant_id, null, null, null, null, p_after, p_limit) step;
  if v_ids <> '{}' then
    errors := (select count(*) from attempt_error past
                where past.id = any (v_ids) and past.tenant_id = p_tenant_id);
    jobs := (select count(*)
               from erase_jobs(
                      v_ids, array_fill(p_tenant_id, array[cardinality(v_ids)])));
    errors := errors - (select count(*) from attempt_error past
                         where past.id = any (v_ids) and past.tenant_id = p_tenant_id);
    select count(*) filter (where stands.status = 'processing'),
           count(*) filter (where stands.status <> 'processing')
      into running, passed
      from status_of(p_tenant_id, v_ids) stands where stands.status is not null;
  end if;
  more := next is not null or exists (select from job where job.tenant_id = p_tenant_id);
  if not more then
    settings := forget_tenant(p_tenant_id);
  end if;
  if jobs + settings > 0 then
    perform note_operation('purge_tenant', p_tenant_id, null, p_why, jobs);
  end if;
  return next;
end
$$;

comment on function fairclaim.purge_tenant(uuid, uuid, int, text) is
'Deletes everything of one tenant, in steps, for operators: jobs that wait or have ended with payloads, results, errors and history, and when no job is left, its name, limits and other settings. Drain the tenant first, or new jobs come. A call looks at the next p_limit jobs (1 to 10,000), oldest first; go on with p_after = next until next is null. Then more is true if jobs are left: running ones, which end by themselves or are cancelled first, or passed ones, which another transaction holds at this moment; begin again without p_after when they have ended. A purge that was interrupted goes on so as well. jobs, errors, settings: how many rows of each kind went. The audit table keeps who purged it, when and why.
Errors: JQ002, JQ004.';

grant execute on function fairclaim.purge_tenant(uuid, uuid, int, text) to fairclaim_operator;
