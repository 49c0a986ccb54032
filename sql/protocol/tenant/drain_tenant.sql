-- A quota of 0 that refuses, in a row of its own, so that the tenant's quota is in force again when
-- the drain ends. A dispatch whose transaction is open at this moment may still put jobs in.
create or replace function fairclaim.drain_tenant(p_tenant_id uuid, p_why text default null)
returns table (tenant_id uuid, drained_at timestamptz, was_drained boolean)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$
#variable_conflict use_column
declare
  v_now timestamptz := fairclaim.clock();
begin
  perform check_tenant(p_tenant_id);
  tenant_id := p_tenant_id;
  insert into waiting_limit (subject, tenant_id, queue, max_waiting, drained_at)
  values ('drain', p_tenant_id, '', 0, v_now) on conflict do nothing;
  was_drained := not found;
  drained_at := (select bound.drained_at from waiting_limit bound
                  where bound.subject = 'drain' and bound.tenant_id = p_tenant_id
                    and bound.queue = '');
  if not was_drained then
    perform note_operation('drain_tenant', p_tenant_id, null, p_why);
  end if;
  return next;
end
$$;

comment on function fairclaim.drain_tenant(uuid, text) is
'Takes no new jobs of a tenant any more, for operators: dispatches are refused (JQ003), as by a quota of 0, and what waits or runs is finished. What comes back (a retry, a delayed job that is due) is never refused. undrain_tenant ends it. p_why: 1 to 1,000 characters for the audit table. was_drained: it was already, since drained_at.
Errors: JQ002, JQ004.';

grant execute on function fairclaim.drain_tenant(uuid, text) to fairclaim_operator;
