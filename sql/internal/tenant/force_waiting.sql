-- The caller holds the lock on `bound`. Looks by index, as in in_force.
create or replace function fairclaim_internal.force_waiting(
  p_subjects text[],
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
  v_subjects text[];                          -- of the places that change
  v_tenants uuid[];
  v_queues text[];
  v_quotas int[];                             -- null: none in force
  v_refuses boolean[];
begin
  select array_agg(changed.subject), array_agg(changed.tenant_id), array_agg(changed.queue),
         array_agg(changed.value), array_agg(changed.refuses)
    into v_subjects, v_tenants, v_queues, v_quotas, v_refuses
    from (select held.*, own.max_waiting, own.refuses as refused
            from in_force('waiting', p_subjects, p_tenants, p_queues, p_now) held
            left join lateral (
              select * from waiting_limit known
               where known.tenant_id = held.tenant_id and known.queue = held.queue collate "C"
                 and known.subject = held.subject collate "C" offset 0) own on true) changed
   where changed.value is distinct from changed.max_waiting
      or changed.refuses is distinct from changed.refused;
  delete from waiting_limit
   where waiting_limit.ctid = any (array(
     select gone.place
       from unnest(v_subjects, v_tenants, v_queues, v_quotas)
              changed(subject, tenant_id, queue, value)
      cross join lateral (
        select own.ctid as place from waiting_limit own
         where own.tenant_id = changed.tenant_id and own.queue = changed.queue collate "C"
           and own.subject = changed.subject collate "C"
        offset 0) gone
      where changed.value is null));
  insert into waiting_limit (subject, tenant_id, queue, max_waiting, refuses)
  select changed.subject, changed.tenant_id, changed.queue, changed.value, changed.refuses
    from unnest(v_subjects, v_tenants, v_queues, v_quotas, v_refuses)
           changed(subject, tenant_id, queue, value, refuses)
   where changed.value is not null
      on conflict (tenant_id, queue, subject)
      do update set max_waiting = excluded.max_waiting, refuses = excluded.refuses;
end
$$;

comment on function fairclaim_internal.force_waiting(text[], uuid[], text[], timestamptz) is
'Puts the quotas of these places into force as `bound` has them.';
