-- Who may do what. Execute is nobody's until it is granted here.
revoke all on all functions in schema fairclaim from public;
revoke all on schema fairclaim from public;
-- hosts grant new functions to their web roles directly, and a revoke from public does not undo that
do $web$
declare
  v_role name;
begin
  for v_role in select r.rolname from pg_catalog.pg_roles r where r.rolname in ('anon', 'authenticated', 'service_role') loop
    execute format('revoke all on all functions in schema fairclaim from %I', v_role);
    execute format('revoke all on all tables in schema fairclaim from %I', v_role);
    execute format('revoke all on schema fairclaim from %I', v_role);
  end loop;
end
$web$;
grant usage on schema fairclaim to fairclaim_worker, fairclaim_producer, fairclaim_tenant, fairclaim_operator, fairclaim_auditor,
  fairclaim_observer;
grant execute on function fairclaim.clock(), fairclaim.schema_version(), fairclaim.tenant_uuid(text)
  to fairclaim_worker, fairclaim_producer, fairclaim_tenant, fairclaim_operator, fairclaim_auditor, fairclaim_observer;

-- workers: functions and nothing else
grant execute on function fairclaim.claim_job, fairclaim.claim_jobs, fairclaim.settle_jobs, fairclaim.settle_and_claim,
  fairclaim.extend_leases, fairclaim.release_claims, fairclaim.tick, fairclaim.prune, fairclaim.drop_ranges, fairclaim.next_due
  to fairclaim_worker;

-- producers: trusted backends that name the tenant
grant execute on function fairclaim.dispatch_job, fairclaim.dispatch_jobs, fairclaim.dispatch_lines, fairclaim.cancel_jobs,
  fairclaim.retry_jobs to fairclaim_producer;

-- tenants: their own rows, and no lease
grant execute on function fairclaim.current_tenant_id() to fairclaim_tenant;
grant select on fairclaim.job, fairclaim.finished, fairclaim.attempt_error, fairclaim.scheduled, fairclaim.cancel_request to fairclaim_tenant;
grant select (lane_id, id, tenant_id, attempts, attempts_left, lost) on fairclaim.ready to fairclaim_tenant;      -- seq counts everybody's
grant select (lane_id, tenant_id, queue, type, turn) on fairclaim.lane to fairclaim_tenant;
grant select (id, tenant_id, attempt, attempts_left, lost, worker_id, lease_expires_at) on fairclaim.running to fairclaim_tenant;
grant select on fairclaim.job_queue, fairclaim.job_overview to fairclaim_tenant;

-- operators: everything but payloads, results and error texts
grant execute on function fairclaim.cancel_jobs, fairclaim.retry_jobs, fairclaim.list_jobs, fairclaim.show_job, fairclaim.tick,
  fairclaim.prune, fairclaim.drop_ranges, fairclaim.count_jobs, fairclaim.list_queues, fairclaim.pause_queue, fairclaim.resume_queue,
  fairclaim.release_jobs, fairclaim.release_worker to fairclaim_operator;
grant select (id, tenant_id, queue, type, priority, max_attempts, timeout, run_at, created_at, tags) on fairclaim.job to fairclaim_operator;
grant select (id, tenant_id, completed_at, attempts, status, worker_id) on fairclaim.finished to fairclaim_operator;
grant select (id, tenant_id, attempt, at, worker_id) on fairclaim.attempt_error to fairclaim_operator;
grant select (id, tenant_id, attempt, attempts_left, lost, worker_id, lease_expires_at) on fairclaim.running to fairclaim_operator;
grant select on fairclaim.ready, fairclaim.scheduled, fairclaim.cancel_request, fairclaim.lane to fairclaim_operator;
grant select on fairclaim.job_overview to fairclaim_operator;

-- operators and observers: what `fairclaim doctor` looks at, counts and names of queues and types
grant execute on function fairclaim.doctor_state, fairclaim.doctor_migrations, fairclaim.doctor_limits, fairclaim.doctor_queues,
  fairclaim.doctor_strays, fairclaim.doctor_waiting, fairclaim.doctor_alone, fairclaim.doctor_faults, fairclaim.doctor_leases, fairclaim.doctor_retention
  to fairclaim_operator, fairclaim_observer;

-- auditors: payloads too
grant execute on function fairclaim.list_jobs, fairclaim.show_job, fairclaim.count_jobs to fairclaim_auditor;
grant select on fairclaim.job, fairclaim.finished, fairclaim.attempt_error, fairclaim.ready, fairclaim.scheduled, fairclaim.cancel_request, fairclaim.lane to fairclaim_auditor;
grant select (id, tenant_id, attempt, attempts_left, lost, worker_id, lease_expires_at) on fairclaim.running to fairclaim_auditor;
grant select on fairclaim.job_queue, fairclaim.job_overview to fairclaim_auditor;

-- the first ranges, and how far they reach, so that no dispatch need look it up before the first tick
select fairclaim.make_ranges(fairclaim.clock() + 3 * fairclaim.range_width()) where not exists (select from fairclaim.id_range);
select fairclaim.note_ranges(fairclaim.clock());
