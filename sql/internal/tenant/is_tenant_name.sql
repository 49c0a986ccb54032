create or replace function fairclaim_internal.is_tenant_name(p_name text) returns boolean
language sql immutable parallel safe
as $$ select octet_length(p_name) between 1 and 255 and p_name !~ $r$[[:cntrl:]\u0080-\u009f]$r$ $$;

comment on function fairclaim_internal.is_tenant_name(text) is
'Whether a text may name a tenant in a dispatch: 1 to 255 bytes without control characters. Null for null.';
