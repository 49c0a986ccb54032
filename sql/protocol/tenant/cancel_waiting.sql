-- Locks: those of end_waiting.
create or replace function fairclaim.cancel_waiting(
  p_tenant_id uuid,
  p_queue text default null,
  p_type text default null,
  p_older_than float8 default null,
  p_newer_than float8 default null,
  p_after uuid default null,
  p_limit int default 1000,
  p_why text default null
) returns table (looked int, cancelled int, passed int, next uuid)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
as $$
#variable_conflict use_column
declare
  v_now timestamptz := fairclaim.clock();
  v_ids uuid[];
begin
  select step.ids, step.looked, step.next into v_ids, looked, next
    from tenant_jobs(
           p_tenant_id, p_queue, p_type, p_older_than, p_newer_than, p_after, p_limit) step;
  cancelled := 0;
  passed := 0;
  if v_ids <> '{}' then
    select array_agg(stands.id) into v_ids
      from status_of(p_tenant_id, v_ids) stands where stands.status in ('pending', 'scheduled');
  end if;
  if v_ids <> '{}' then
    perform end_waiting(v_ids, array_fill(p_tenant_id, array[cardinality(v_ids)]), v_now);
    select count(*) filter (where stands.status = 'cancelled'),
           count(*) filter (where stands.status in ('pending', 'scheduled'))
      into cancelled, passed
      from status_of(p_tenant_id, v_ids) stands;
  end if;
  if cancelled > 0 then
    perform note_operation('cancel_waiting', p_tenant_id, p_queue, p_why, cancelled);
  end if;
  return next;
end
$$;

comment on function fairclaim.cancel_waiting(uuid, text, text, float8, float8, uuid, int, text) is
'Cancels what waits of one tenant, pending or delayed, in steps, for operators. A call looks at the next p_limit jobs of the tenant (1 to 10,000), oldest first, whatever their status; go on with p_after = next until next is null. The filters are those of list_jobs. passed: jobs that another transaction holds at this moment; call again from the start for them. What runs is left: cancel_jobs asks it to stop. p_why: for the audit table.
Errors: JQ002, JQ004.';

grant execute on function fairclaim.cancel_waiting(uuid, text, text, float8, float8, uuid, int,
    text)
  to fairclaim_operator;
