-- A weight for the queue goes before one for all queues. It is inlined, so every name has its
-- schema.
create or replace function fairclaim_internal.weight_of(p_tenant_id uuid, p_queue text)
returns smallint
language sql stable
as $$
  select coalesce(
    (select own.weight from fairclaim_internal.tenant_weight own
      where own.tenant_id = p_tenant_id and own.queue = p_queue collate "C"),
    (select own.weight from fairclaim_internal.tenant_weight own
      where own.tenant_id = p_tenant_id and own.queue = ''),
    1::smallint)
$$;

comment on function fairclaim_internal.weight_of(uuid, text) is
'The weight of a tenant in a queue, as it is in force.';
