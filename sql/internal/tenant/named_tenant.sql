-- The tenant of a dispatch that gives no uuid. Only such a dispatch pays for this, and where the
-- name is known, for one look-up.
create or replace function fairclaim_internal.named_tenant(p_name text) returns uuid
language plpgsql
as $$
declare
  v_id uuid;
begin
  if p_name is null then
    p_name := (select setting.default_tenant from setting);
  end if;
  if is_tenant_name(p_name) then
    v_id := fairclaim.tenant_uuid(p_name);
    if not exists (select from tenant_name known where known.tenant_id = v_id) then
      perform note_tenants(array[v_id], array[p_name]);
    end if;
    return v_id;
  end if;
  perform refuse_job(case when p_name is null then 'p_tenant_id: is missing'
                          else 'p_tenant: must be 1 to 255 bytes without control characters' end);
end
$$;

comment on function fairclaim_internal.named_tenant(text) is
'The id of the tenant that a dispatch names, or of the default tenant where it names none, and remembers the name. Errors: JQ002, JQ004.';
