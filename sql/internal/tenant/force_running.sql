-- The caller holds the lock on `bound`. A tenant that is paused has the limit 0 over all queues,
-- whatever else is set. A limit that changes keeps its row, so that it stays in effect; only a new
-- one waits for tick (see activate_limits). The row may hold a rate as well, and then stays. Looks
-- by index, as in in_force.
create or replace function fairclaim_internal.force_running(
  p_subjects text[],
  p_tenants uuid[],
  p_queues text[],
  p_now timestamptz
) returns boolean
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
  v_limits int[];                             -- null: none in force
  v_gone tid[];
  v_roomier boolean;
begin
  select array_agg(changed.subject), array_agg(changed.tenant_id), array_agg(changed.queue),
         array_agg(changed.value),
         bool_or(changed.value is null or changed.value > changed.known)
    into v_subjects, v_tenants, v_queues, v_limits, v_roomier
    from (select held.subject, held.tenant_id, held.queue,
                 case when held.subject = 'tenant' and held.queue = '' and exists (
                             select from bound
                              where bound.tenant_id = held.tenant_id and bound.queue = ''
                                and bound.kind = 'paused' and bound.subject = 'tenant'
                                and (bound.until is null or bound.until > p_now))
                      then 0 else held.value end as value,
                 (select own.max_running from running_limit own
                   where own.tenant_id = held.tenant_id and own.queue = held.queue collate "C"
                     and own.subject = held.subject collate "C") as known
            from in_force('running', p_subjects, p_tenants, p_queues, p_now) held
          offset 0) changed
   where changed.value is distinct from changed.known;
  v_gone := array(
     select gone.place
       from unnest(v_subjects, v_tenants, v_queues, v_limits)
              changed(subject, tenant_id, queue, value)
      cross join lateral (
        select own.ctid as place from running_limit own
         where own.tenant_id = changed.tenant_id and own.queue = changed.queue collate "C"
           and own.subject = changed.subject collate "C"
        offset 0) gone
      where changed.value is null);
  delete from running_limit
   where running_limit.ctid = any (v_gone) and running_limit.units is null;
  update running_limit set max_running = null where running_limit.ctid = any (v_gone);
  insert into running_limit (subject, tenant_id, queue, max_running)
  select changed.subject, changed.tenant_id, changed.queue, changed.value
    from unnest(v_subjects, v_tenants, v_queues, v_limits)
           changed(subject, tenant_id, queue, value)
   where changed.value is not null
      on conflict (tenant_id, queue, subject) do update set max_running = excluded.max_running;
  return coalesce(v_roomier, false);
end
$$;

comment on function fairclaim_internal.force_running(text[], uuid[], text[], timestamptz) is
'Puts the limits on running jobs of these places, and pauses of tenants, into force as `bound` has them. Returns whether some limit was raised or lifted.';
