-- Row security on and forced on every table, the owner's policy, and one policy for each role that
-- reads rows. It may be run again.
select fairclaim_internal.secure_table(listed.name)
  from unnest(array[
    'migration', 'job', 'finished', 'attempt_error', 'id_range', 'ready', 'running', 'scheduled',
    'cancel_request', 'lane', 'floor_hint', 'renewal', 'bound', 'tenant_weight', 'weight_note',
    'running_limit', 'waiting_limit', 'audit', 'limit_note', 'claim_lock', 'at_limit', 'rate_use',
    'queue', 'login_tenant', 'setting', 'tick_lock', 'tick_state', 'tick_fault',
    'dispatch_progress', 'prune_place', 'prune_fault', 'suspect', 'tenant_name', 'tenant_note',
    'build', 'stat', 'tail', 'seen_running', 'waiting_count', 'delayed_job', 'quota_place',
    'tenant_retention', 'worker', 'time_report', 'tenant_time', 'queue_time', 'held', 'key_slot',
    'key_note', 'key_lock', 'key_limit']) listed(name);

do $policies$
declare
  v_table text;
begin
  foreach v_table in array array[
    'job', 'finished', 'attempt_error', 'ready', 'running', 'scheduled', 'cancel_request',
    'held']
  loop
    if not exists (
         select from pg_catalog.pg_policy
          where pg_policy.polrelid = ('fairclaim_internal.' || v_table)::regclass
            and pg_policy.polname = 'tenant_read') then
      execute format(
        'create policy tenant_read on fairclaim_internal.%I for select to fairclaim_tenant
           using (tenant_id = (select fairclaim.current_tenant_id()))', v_table);
      execute format(
        'create policy operator_read on fairclaim_internal.%I for select
           to fairclaim_operator, fairclaim_auditor using (true)', v_table);
    end if;
  end loop;
  if not exists (
       select from pg_catalog.pg_policy
        where pg_policy.polrelid = 'fairclaim_internal.lane'::regclass
          and pg_policy.polname = 'tenant_read') then
    -- of the shared lanes those in which the tenant has a job: the names of the others are the
    -- affair of other tenants
    create policy tenant_read on fairclaim_internal.lane for select to fairclaim_tenant
      using (tenant_id = (select fairclaim.current_tenant_id())
             or tenant_id is null and exists (
                  select from fairclaim_internal.ready
                   where ready.tenant_id = (select fairclaim.current_tenant_id())
                     and ready.lane_id = lane.lane_id));
    create policy operator_read on fairclaim_internal.lane for select
      to fairclaim_operator, fairclaim_auditor using (true);
  end if;
end
$policies$;
