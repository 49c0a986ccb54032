-- The caller holds the lock on `bound`. A changed weight is noted for tick, which gives it to the
-- lanes that are there. Looks by index, as in in_force.
create or replace function fairclaim_internal.force_weights(
  p_tenants uuid[],
  p_queues text[],
  p_now timestamptz
) returns void
language plpgsql
set jit = off
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
as $$
declare
  v_tenants uuid[];                           -- of the places that change
  v_queues text[];
  v_weights int[];                            -- null: none in force
begin
  select array_agg(changed.tenant_id), array_agg(changed.queue), array_agg(changed.value)
    into v_tenants, v_queues, v_weights
    from (select held.tenant_id, held.queue, held.value,
                 (select own.weight from tenant_weight own
                   where own.tenant_id = held.tenant_id
                     and own.queue = held.queue collate "C") as known
            from in_force('weight', array_fill('tenant'::text, array[cardinality(p_tenants)]),
                   p_tenants, p_queues, p_now) held) changed
   where changed.value is distinct from changed.known;
  delete from tenant_weight
   where tenant_weight.ctid = any (array(
     select gone.place
       from unnest(v_tenants, v_queues, v_weights) changed(tenant_id, queue, value)
      cross join lateral (
        select own.ctid as place from tenant_weight own
         where own.tenant_id = changed.tenant_id and own.queue = changed.queue collate "C"
        offset 0) gone
      where changed.value is null));
  insert into tenant_weight (tenant_id, queue, weight)
  select changed.tenant_id, changed.queue, changed.value
    from unnest(v_tenants, v_queues, v_weights) changed(tenant_id, queue, value)
   where changed.value is not null
      on conflict (tenant_id, queue) do update set weight = excluded.weight;
  insert into weight_note (tenant_id, queue)
  select changed.tenant_id, changed.queue
    from unnest(v_tenants, v_queues) changed(tenant_id, queue);
end
$$;

comment on function fairclaim_internal.force_weights(uuid[], text[], timestamptz) is
'Puts the weights of these places into force as `bound` has them.';
