-- The tenant of the session. The installer said where the tenant of its login comes from
-- (login_tenant). Unset or malformed is an error, never "no rows" and never "every row".
create or replace function fairclaim.current_tenant_id() returns uuid
language plpgsql stable security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$
declare
  v_source text;
  v_tenant uuid;
  v_text text;
begin
  select login_tenant.source, login_tenant.tenant_id into v_source, v_tenant
    from login_tenant where login_tenant.login = session_user;
  if v_source = 'fixed' then
    return v_tenant;
  elsif v_source = 'claims' then
    begin
      v_text := nullif(current_setting('request.jwt.claims', true), '')::jsonb
        #>> '{app_metadata,tenant_id}';
    exception
      when data_exception then null;          -- its text would be in the error
    end;
  elsif v_source = 'setting' then
    v_text := nullif(current_setting('fairclaim.tenant_id', true), '');
  end if;
  -- a cast of anything else would fail with the text in its message
  if translate(v_text, '0123456789abcdefABCDEF', '0000000000000000000000')
     is distinct from '00000000-0000-0000-0000-000000000000' then
    perform refuse('JQ002', 'tenant', 'this session has no tenant',
      'set it for the transaction: select set_config(''fairclaim.tenant_id'', ''<uuid>'', true), '
      'with this login listed in fairclaim_internal.login_tenant');
  end if;
  return v_text::uuid;
end
$$;

comment on function fairclaim.current_tenant_id() is
'The tenant of this session: fixed for its login, from the claims of a REST login, or from the setting fairclaim.tenant_id of a trusted application. JQ002 when there is none.';

grant execute on function fairclaim.current_tenant_id() to fairclaim_tenant;
