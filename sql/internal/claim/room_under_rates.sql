-- How many jobs a tenant may begin now in a queue under its rates: the least that one of them
-- leaves; null where it has none. Exact where the tenant's slot of claim_lock is held, since nobody
-- else charges its rates then. Plain SQL without settings, so that it becomes a part of the
-- statement that calls it.
create or replace function fairclaim_internal.room_under_rates(
  p_tenant_id uuid,
  p_queue text,
  p_group int,
  p_now timestamptz
) returns table (jobs int)
language sql stable rows 1
as $$
  select min(fairclaim_internal.rate_room(
           rate.units, rate.period, rate.burst,
           (select used.paid_until from fairclaim_internal.rate_use used
             where used.tenant_id = p_tenant_id
               and used.queue_group = case when rate.queue = '' then 0 else p_group end
             order by used.tenant_id desc, used.queue_group desc, used.use_id desc limit 1),
           p_now))
    from fairclaim_internal.rates_of(p_tenant_id, p_queue) rate
$$;

comment on function fairclaim_internal.room_under_rates(uuid, text, int, timestamptz) is
'How many jobs of a tenant may begin now under its rates; null: no rate.';
