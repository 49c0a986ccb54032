//! The ordered list of the SQL files that make up the protocol. A test compares it with the folder.

/// One file of `sql/`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SqlFile {
    /// Its path below `sql/`.
    pub(crate) path: &'static str,
    /// Its text.
    pub(crate) text: &'static str,
}

macro_rules! sql {
    ($path:literal) => {
        SqlFile { path: $path, text: include_str!(concat!("../../sql/", $path)) }
    };
}

/// Cluster-wide roles; runs as the installer.
pub(crate) const ROLES: SqlFile = sql!("access/roles.sql");
/// The schema, the list of migrations, the lock; from here on as the owner.
pub(crate) const BOOTSTRAP: SqlFile = sql!("migrations/bootstrap.sql");
/// Tables only, numbered, up-only: each is applied once.
pub(crate) const MIGRATIONS: &[SqlFile] = &[
    sql!("migrations/0001_tables.sql"),
    sql!("migrations/0002_dispatch_progress.sql"),
    sql!("migrations/0003_real_life.sql"),
];
/// One function a file; applied again at every migrate, in this order.
pub(crate) const FUNCTIONS: &[SqlFile] = &[
    sql!("functions/support/clock.sql"),
    sql!("functions/support/id_at.sql"),
    sql!("functions/support/id_prefix.sql"),
    sql!("functions/support/is_name.sql"),
    sql!("functions/support/json_depth.sql"),
    sql!("functions/support/json_fault.sql"),
    sql!("functions/support/millis.sql"),
    sql!("functions/support/refuse.sql"),
    sql!("functions/support/schema_version.sql"),
    sql!("functions/tenant/caller.sql"),
    sql!("functions/tenant/current_tenant_id.sql"),
    sql!("functions/tenant/tenant_uuid.sql"),
    sql!("functions/range/drop_range.sql"),
    sql!("functions/range/make_ranges.sql"),
    sql!("functions/range/secure_table.sql"),
    sql!("functions/dispatch/check_batch.sql"),
    sql!("functions/dispatch/dispatch_job.sql"),
    sql!("functions/dispatch/dispatch_jobs.sql"),
    sql!("functions/dispatch/dispatch_lines.sql"),
    sql!("functions/dispatch/extras_fault.sql"),
    sql!("functions/dispatch/into_lane.sql"),
    sql!("functions/dispatch/into_lanes.sql"),
    sql!("functions/dispatch/payload_fault.sql"),
    sql!("functions/dispatch/to_ready.sql"),
    sql!("functions/dispatch/tell.sql"),
    sql!("functions/dispatch/wake.sql"),
    sql!("functions/dispatch/wake_before.sql"),
    sql!("functions/claim/check_claim.sql"),
    sql!("functions/claim/check_cursor.sql"),
    sql!("functions/claim/claim_from_queue.sql"),
    sql!("functions/claim/claim_job.sql"),
    sql!("functions/claim/claim_jobs.sql"),
    sql!("functions/claim/claim_one.sql"),
    sql!("functions/claim/claim_own.sql"),
    sql!("functions/claim/has_above.sql"),
    sql!("functions/claim/is_cursor_entry.sql"),
    sql!("functions/claim/leave_hints.sql"),
    sql!("functions/claim/next_turns.sql"),
    sql!("functions/claim/note_idle.sql"),
    sql!("functions/claim/open_queues.sql"),
    sql!("functions/claim/refuse_late.sql"),
    sql!("functions/claim/room_under_limits.sql"),
    sql!("functions/claim/start_attempts.sql"),
    sql!("functions/claim/take_own.sql"),
    sql!("functions/claim/take_shared.sql"),
    sql!("functions/settle/check_settle.sql"),
    sql!("functions/settle/clip_error.sql"),
    sql!("functions/settle/extend_leases.sql"),
    sql!("functions/settle/release_claims.sql"),
    sql!("functions/settle/settle_and_claim.sql"),
    sql!("functions/settle/settle_jobs.sql"),
    sql!("functions/settle/settle_mixed.sql"),
    sql!("functions/operator/cancel_jobs.sql"),
    sql!("functions/operator/check_filter.sql"),
    sql!("functions/operator/check_scope.sql"),
    sql!("functions/operator/count_jobs.sql"),
    sql!("functions/operator/end_waiting.sql"),
    sql!("functions/operator/error_has.sql"),
    sql!("functions/operator/find_jobs.sql"),
    sql!("functions/operator/list_jobs.sql"),
    sql!("functions/operator/matching_jobs.sql"),
    sql!("functions/operator/retry_jobs.sql"),
    sql!("functions/operator/show_job.sql"),
    sql!("functions/operator/status_of.sql"),
    sql!("functions/doctor/doctor_limits.sql"),
    sql!("functions/doctor/doctor_migrations.sql"),
    sql!("functions/doctor/doctor_queues.sql"),
    sql!("functions/doctor/doctor_state.sql"),
    sql!("functions/doctor/doctor_strays.sql"),
    sql!("functions/doctor/doctor_waiting.sql"),
    sql!("functions/queue/list_queues.sql"),
    sql!("functions/queue/pause_queue.sql"),
    sql!("functions/queue/queue_in_use.sql"),
    sql!("functions/queue/resume_queue.sql"),
    sql!("functions/maintenance/apply_limits.sql"),
    sql!("functions/maintenance/close_lanes.sql"),
    sql!("functions/maintenance/end_cancelled.sql"),
    sql!("functions/maintenance/mark_holders.sql"),
    sql!("functions/maintenance/move_floors.sql"),
    sql!("functions/maintenance/note_look.sql"),
    sql!("functions/maintenance/promote_due.sql"),
    sql!("functions/maintenance/prune.sql"),
    sql!("functions/maintenance/renew_passed.sql"),
    sql!("functions/maintenance/return_expired.sql"),
    sql!("functions/maintenance/sweep_ready.sql"),
    sql!("functions/maintenance/tick.sql"),
];
/// Views, applied again at every migrate.
pub(crate) const VIEWS: &[SqlFile] = &[sql!("views/job_queue.sql"), sql!("views/job_overview.sql")];
/// Row security, policies and grants, applied last at every migrate.
pub(crate) const ACCESS: &[SqlFile] = &[sql!("access/policies.sql"), sql!("access/grants.sql")];
