create or replace function fairclaim.tenant_uuid(p_name text) returns uuid
language plpgsql immutable parallel safe
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$
declare
  v_hex text;
begin
  if p_name is null or p_name = '' or octet_length(p_name) > 255 then
    -- any role may call this function, and only the owner may call refuse()
    raise exception 'p_name: must be 1 to 255 bytes' using errcode = 'JQ004',
      detail = '{"argument": "p_name", "field": "name", "limit": 255}',
      hint = 'pass the name or the number by which your application knows the tenant';
  end if;
  if length(p_name) = 36
     and p_name ~ '^[0-9A-Fa-f]+-[0-9A-Fa-f]+-[0-9A-Fa-f]+-[0-9A-Fa-f]+-[0-9A-Fa-f]+$'
     and p_name like '________-____-____-____-____________' then
    return p_name::uuid;
  end if;
  v_hex := encode(sha256(convert_to('fairclaim:tenant:' || p_name, 'UTF8')), 'hex');
  return (left(v_hex, 12) || '8' || substr(v_hex, 14, 3)
          || substr('89ab', (('x' || substr(v_hex, 17, 1))::bit(4)::int & 3) + 1, 1)
          || substr(v_hex, 18, 15))::uuid;
end
$$;

comment on function fairclaim.tenant_uuid(text) is
'The uuid of a tenant that the application knows by a name or a number: always the same for the same text. A text that is a uuid is that uuid.';

grant execute on function fairclaim.tenant_uuid(text)
  to fairclaim_worker, fairclaim_producer, fairclaim_tenant, fairclaim_operator,
     fairclaim_auditor, fairclaim_observer;
