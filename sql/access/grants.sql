-- Who may read what. Who may call which function stands with the function; only the protocol's
-- functions may be called, and only the owner may look into the schema fairclaim_internal: the
-- views are the way to its tables.
revoke all on all functions in schema fairclaim, fairclaim_internal from public;
revoke all on schema fairclaim, fairclaim_internal from public;
-- hosts grant new functions to their web roles directly, and a revoke from public does not undo
-- that
do $web$
declare
  v_role name;
begin
  for v_role in
    select pg_roles.rolname from pg_catalog.pg_roles
     where pg_roles.rolname in ('anon', 'authenticated', 'service_role')
  loop
    execute format(
      'revoke all on all functions in schema fairclaim, fairclaim_internal from %I', v_role);
    execute format(
      'revoke all on all tables in schema fairclaim, fairclaim_internal from %I', v_role);
    execute format('revoke all on schema fairclaim, fairclaim_internal from %I', v_role);
  end loop;
end
$web$;
grant usage on schema fairclaim
  to fairclaim_worker, fairclaim_producer, fairclaim_tenant, fairclaim_operator, fairclaim_auditor,
     fairclaim_observer;

-- tenants: their own rows, and no lease; not ready.seq, which counts the jobs of all tenants
grant select on fairclaim_internal.job, fairclaim_internal.finished,
  fairclaim_internal.attempt_error, fairclaim_internal.scheduled, fairclaim_internal.cancel_request
  to fairclaim_tenant;
grant select (lane_id, id, tenant_id, attempts, attempts_left, lost) on fairclaim_internal.ready
  to fairclaim_tenant;
grant select (id, tenant_id, attempts, attempts_left, lost) on fairclaim_internal.held
  to fairclaim_tenant, fairclaim_operator, fairclaim_auditor;
grant select (lane_id, tenant_id, queue, type, turn) on fairclaim_internal.lane
  to fairclaim_tenant;
grant select (id, tenant_id, attempt, attempts_left, lost, worker_id, lease_expires_at)
  on fairclaim_internal.running to fairclaim_tenant;
grant select on fairclaim.job_queue, fairclaim.job_overview to fairclaim_tenant;

-- operators: everything but payloads, results and error texts
grant select (id, tenant_id, queue, type, priority, max_attempts, timeout, run_at, created_at, tags,
              key, keep_order)
  on fairclaim_internal.job to fairclaim_operator;
grant select (id, tenant_id, completed_at, attempts, status, worker_id)
  on fairclaim_internal.finished to fairclaim_operator;
grant select (id, tenant_id, attempt, at, worker_id) on fairclaim_internal.attempt_error
  to fairclaim_operator;
grant select (id, tenant_id, attempt, attempts_left, lost, worker_id, lease_expires_at)
  on fairclaim_internal.running to fairclaim_operator;
grant select on fairclaim_internal.ready, fairclaim_internal.scheduled,
  fairclaim_internal.cancel_request, fairclaim_internal.lane to fairclaim_operator;
grant select on fairclaim.job_overview to fairclaim_operator;

-- auditors: payloads too
grant select on fairclaim_internal.job, fairclaim_internal.finished,
  fairclaim_internal.attempt_error, fairclaim_internal.ready, fairclaim_internal.scheduled,
  fairclaim_internal.cancel_request, fairclaim_internal.lane to fairclaim_auditor;
grant select (id, tenant_id, attempt, attempts_left, lost, worker_id, lease_expires_at)
  on fairclaim_internal.running to fairclaim_auditor;
grant select on fairclaim.job_queue, fairclaim.job_overview to fairclaim_auditor;

-- the first ranges, and how far they reach, so that no dispatch need look it up before the first
-- tick
select fairclaim_internal.make_ranges(fairclaim.clock() + 3 * fairclaim_internal.range_width())
 where not exists (select from fairclaim_internal.id_range);
select fairclaim_internal.note_ranges(fairclaim.clock());
