create or replace function fairclaim.undrain_tenant(p_tenant_id uuid, p_why text default null)
returns table (tenant_id uuid, drained_at timestamptz, was_drained boolean)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$
#variable_conflict use_column
begin
  perform check_tenant(p_tenant_id);
  tenant_id := p_tenant_id;
  delete from waiting_limit bound
   where bound.subject = 'drain' and bound.tenant_id = p_tenant_id and bound.queue = '';
  was_drained := found;
  if was_drained then
    perform note_operation('undrain_tenant', p_tenant_id, null, p_why);
  end if;
  return next;
end
$$;

comment on function fairclaim.undrain_tenant(uuid, text) is
'Lets dispatches put jobs of a tenant in again, for operators, as far as its quotas go. was_drained is false when it was not being drained; drained_at is null.
Errors: JQ002, JQ004.';

grant execute on function fairclaim.undrain_tenant(uuid, text) to fairclaim_operator;
