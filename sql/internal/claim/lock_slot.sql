-- The slot of claim_lock that a claim holds while it counts what runs of a tenant under its limits.
-- Tenants whose hashes meet share a slot: then one claim at a time takes jobs of either.
create or replace function fairclaim_internal.lock_slot(p_tenant_id uuid) returns int
language sql immutable parallel safe
as $$ select (pg_catalog.uuid_hash_extended(p_tenant_id, 1) & 1023)::int $$;

comment on function fairclaim_internal.lock_slot(uuid) is
'The slot of claim_lock for the limits of a tenant: 0 to 1,023.';
