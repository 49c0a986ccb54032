-- A limit that was raised or lifted, or has taken effect, lets jobs go that waited for it, and
-- there is no dispatch then that would wake the workers. So a look at everything compares this
-- digest of all limits with the last one, and wakes the workers that sleep where it differs. A
-- limit that was set or lowered wakes them in vain, once. Reads all of a small table, for which a
-- sequential scan is the right plan.
create or replace function fairclaim_internal.limits_digest() returns bigint
language sql volatile
set enable_seqscan = on
as $$
  select coalesce(bit_xor(uuid_hash_extended(
           tenant_limit.tenant_id,
           tenant_limit.max_running * 2::bigint + tenant_limit.active::int)), 0)
    from fairclaim_internal.tenant_limit
$$;

comment on function fairclaim_internal.limits_digest() is
'A number that is another one when the limits of tenants have changed.';
