-- Of the last minute, or of the last hour where the minute had none. The nil uuid stands for all
-- tenants of the queue.
create or replace function fairclaim_internal.claim_rate(
  p_queue text,
  p_tenant_id uuid,
  p_now timestamptz
) returns float8
language sql stable
as $$
  select case
           when fairclaim_internal.window_sum(stat.minute, 2, stat.minute_slot, 60, p_now) > 0
             then fairclaim_internal.window_sum(stat.minute, 2, stat.minute_slot, 60, p_now) / 60
           when fairclaim_internal.window_sum(stat.hour, 2, stat.hour_slot, 3600, p_now) > 0
             then fairclaim_internal.window_sum(stat.hour, 2, stat.hour_slot, 3600, p_now) / 3600
         end
    from fairclaim_internal.stat
   where stat.queue = p_queue and stat.tenant_id = p_tenant_id
     and stat.whole = (p_tenant_id = '00000000-0000-0000-0000-000000000000')
$$;

comment on function fairclaim_internal.claim_rate(text, uuid, timestamptz) is
'How many jobs of a tenant, or of all, are claimed in a second in a queue; null where nothing is known.';
