-- How many jobs a tenant may begin now in a queue under its rates; null where it has none. Exact
-- where the tenant's slot of claim_lock is held: nobody else charges its rates then.
create or replace function fairclaim_internal.room_under_rates(
  p_tenant_id uuid,
  p_queue text,
  p_now timestamptz
) returns int
language plpgsql
as $$
begin
  return (
    select min(rate_room(rate.units, rate.period, rate.burst,
             (select used.paid_until from rate_use used
               where used.tenant_id = p_tenant_id
                 and used.queue_group = case when rate.queue = '' then 0
                                             else lane_group(p_queue) end
               order by used.tenant_id desc, used.queue_group desc, used.use_id desc limit 1),
             p_now))
      from rates_of(p_tenant_id, p_queue) rate);
end
$$;

comment on function fairclaim_internal.room_under_rates(uuid, text, timestamptz) is
'How many jobs of a tenant may begin now under its rates; null: no rate.';
