-- Which row of key_lock stands for a key. Two keys may share a row by chance: then one of them
-- waits for the next look, and nothing else happens.
create or replace function fairclaim_internal.key_lock_of(p_tenant_id uuid, p_key text)
returns smallint
language sql immutable parallel safe
as $$
  select (uuid_hash_extended(p_tenant_id, hashtextextended(p_key collate "C", 0)) & 1023)::smallint
$$;

comment on function fairclaim_internal.key_lock_of(uuid, text) is
'The row of key_lock that stands for a key of a tenant, 0 to 1023.';
