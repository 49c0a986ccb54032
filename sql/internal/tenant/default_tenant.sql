create or replace function fairclaim_internal.default_tenant() returns uuid
language plpgsql stable
as $$
declare
  v_name text := (select setting.default_tenant from setting);
begin
  return case when v_name is not null then fairclaim.tenant_uuid(v_name) end;
end
$$;

comment on function fairclaim_internal.default_tenant() is
'The id of the default tenant of the settings, for a call that names none. Null where there is none.';
