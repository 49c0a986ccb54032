create or replace function fairclaim_internal.weight_of(p_tenant_id uuid, p_queue text) returns int
language sql stable
as $$
  select coalesce(
    (select tenant.weight from fairclaim_internal.tenant where tenant.tenant_id = p_tenant_id), 1)
$$;

comment on function fairclaim_internal.weight_of(uuid, text) is
'The weight of a tenant in a queue.';
