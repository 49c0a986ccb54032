-- A limit that was raised or lifted, or has taken effect, lets jobs go that waited for it, and nobody dispatches then who would wake
-- the workers. So a look at everything compares this digest of all limits with the last one, and wakes whoever sleeps where it differs;
-- a limit that was set or lowered wakes in vain, once. Reads all of a small table.
create or replace function fairclaim_internal.limits_digest() returns bigint
language sql volatile
set enable_seqscan = on
as $$
  select coalesce(bit_xor(uuid_hash_extended(b.tenant_id, b.max_running * 2::bigint + b.active::int)), 0) from fairclaim_internal.tenant_limit b
$$;

comment on function fairclaim_internal.limits_digest() is 'A number that is another one when the limits of tenants have changed.';
