-- Overrides past their end, a slice. Does nothing while somebody changes settings in a transaction
-- that is open, and leaves an override whose limit is locked by a claim: the next tick comes back.
-- Locks `bound` without waiting, then rows of running_limit (skip locked).
create or replace function fairclaim_internal.end_overrides(p_now timestamptz, p_size int)
returns int
language plpgsql
as $$
declare
  v_ids bigint[];
  v_kinds text[];
  v_subjects text[];
  v_tenants uuid[];
  v_queues text[];
begin
  begin
    lock table bound in share row exclusive mode nowait;
  exception
    when lock_not_available then return 0;
  end;
  select array_agg(past.bound_id) into v_ids
    from (select bound.* from bound
           where bound.until <= p_now and bound.layer = 'override'
           order by bound.until limit p_size) past
    left join lateral (
      select own.tenant_id from running_limit own
       where past.kind in ('running', 'paused') and own.tenant_id = past.tenant_id
         and own.queue = past.queue and own.subject = past.subject
      offset 0) held on true
   where held.tenant_id is null or exists (
           select from running_limit free
            where free.tenant_id = past.tenant_id and free.queue = past.queue
              and free.subject = past.subject
              for update skip locked);
  with gone as (
    delete from bound
     where bound.ctid = any (array(
       select past.ctid from bound past where past.bound_id = any (v_ids)))
    returning bound.*),
  told as (
    insert into audit (at, who, what, subject, tenant_id, queue, old_value, new_value, until, why,
                       many)
    select p_now, 'tick', 'end_override', gone.subject,
           case when gone.subject = 'tenant' then gone.tenant_id end, nullif(gone.queue, ''),
           gone.kind || ' ' || gone.value, null, gone.until, gone.why, 1
      from gone)
  select array_agg(gone.kind), array_agg(gone.subject), array_agg(gone.tenant_id),
         array_agg(gone.queue)
    into v_kinds, v_subjects, v_tenants, v_queues
    from gone;
  if v_kinds is not null then
    perform force_bounds(v_kinds, v_subjects, v_tenants, v_queues, p_now);
  end if;
  return coalesce(cardinality(v_kinds), 0);
end
$$;

comment on function fairclaim_internal.end_overrides(timestamptz, int) is
'Ends overrides of settings whose time is over. Returns how many.';
