create or replace function fairclaim_internal.check_tenant(p_tenant_id uuid) returns void
language plpgsql
as $$
begin
  if p_tenant_id is null then
    perform refuse('JQ002', 'p_tenant_id', 'is missing',
      'name the tenant by its uuid, or by fairclaim.tenant_uuid(''its name'')');
  end if;
end
$$;

comment on function fairclaim_internal.check_tenant(uuid) is
'Refuses a call that names no tenant (JQ002).';
