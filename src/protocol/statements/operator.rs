//! The statements of operators. Workers prune and drop ranges too.

use tokio_postgres::types::Type;

use super::Statement;

pub(crate) const LIST: Statement = Statement {
    sql: "select l.id, l.tenant_id, l.queue, l.type, l.status, l.priority::int4 as priority, \
          l.attempts::int4 as attempts, l.max_attempts::int4 as max_attempts, l.worker_id, \
          l.next_retry_at, l.created_at, l.completed_at, l.tags, \
          l.attempts_left::int4 as attempts_left, l.error_code, l.error_message, l.more, \
          l.tenant, fairclaim.clock() as read_at \
          from fairclaim.list_jobs(p_tenant_id => $1::uuid, p_queue => $2::text, \
          p_type => $3::text, p_status => $4::text, p_older_than => $5::float8, \
          p_newer_than => $6::float8, p_error => $7::text, p_before_id => $8::uuid, \
          p_limit => $9::int4) l \
          order by l.id desc",
    types: &[
        Type::UUID,
        Type::TEXT,
        Type::TEXT,
        Type::TEXT,
        Type::FLOAT8,
        Type::FLOAT8,
        Type::TEXT,
        Type::UUID,
        Type::INT4,
    ],
};

pub(crate) const COUNT: Statement = Statement {
    sql: "select c.jobs, c.more \
          from fairclaim.count_jobs(p_tenant_id => $1::uuid, p_queue => $2::text, \
          p_type => $3::text, p_status => $4::text, p_older_than => $5::float8, \
          p_newer_than => $6::float8, p_error => $7::text, p_before_id => $8::uuid, \
          p_up_to => $9::int4) c",
    types: &[
        Type::UUID,
        Type::TEXT,
        Type::TEXT,
        Type::TEXT,
        Type::FLOAT8,
        Type::FLOAT8,
        Type::TEXT,
        Type::UUID,
        Type::INT4,
    ],
};

pub(crate) const SHOW: Statement = Statement {
    sql: "select s.id, s.tenant_id, s.queue, s.type, s.status, s.priority::int4 as priority, \
          s.attempts::int4 as attempts, s.max_attempts::int4 as max_attempts, s.worker_id, \
          s.next_retry_at, s.created_at, s.completed_at, s.tags, s.timeout as timeout_seconds, \
          s.payload, s.result, s.error, s.metadata, s.errors, s.tenant, \
          s.attempts_left::int4 as attempts_left, s.lost::int4 as lost, s.run_at, \
          s.lease_expires_at, s.cancel_requested, fairclaim.clock() as read_at \
          from fairclaim.show_job(p_id => $1::uuid, p_tenant_id => $2::uuid) s",
    types: &[Type::UUID, Type::UUID],
};

pub(crate) const RELEASE_JOBS: Statement = Statement {
    sql: "select r.id, r.status \
          from fairclaim.release_jobs(p_tenant_id => $1::uuid, p_ids => $2::uuid[]) r",
    types: &[Type::UUID, Type::UUID_ARRAY],
};

pub(crate) const RELEASE_WORKER: Statement = Statement {
    sql: "select r.id, r.status \
          from fairclaim.release_worker(p_worker_id => $1::text, p_limit => $2::int4) r",
    types: &[Type::TEXT, Type::INT4],
};

pub(crate) const DELETE: Statement = Statement {
    sql: "select d.id, d.status, d.deleted \
          from fairclaim.delete_jobs(p_tenant_id => $1::uuid, p_ids => $2::uuid[]) d",
    types: &[Type::UUID, Type::UUID_ARRAY],
};

pub(crate) const QUEUES: Statement = Statement {
    sql: "select q.queue, q.paused_at, q.waiting::int4 as waiting, \
          q.tenants_waiting::int4 as tenants_waiting, q.oldest_waiting_at, \
          q.scheduled::int4 as scheduled, q.running::int4 as running, q.at_least, q.drained_at, \
          pg_catalog.date_part('epoch', \
          fairclaim.clock() operator(pg_catalog.-) q.oldest_waiting_at)::float8 as oldest_seconds, \
          q.fair_by \
          from fairclaim.list_queues() q \
          order by q.queue",
    types: &[],
};

pub(crate) const SET_KEY_LIMIT: Statement = Statement {
    sql: "select k.was from fairclaim.set_key_limit(p_tenant_id => $1::uuid, p_key => $2::text, \
          p_max_running => $3::int4) k",
    types: &[Type::UUID, Type::TEXT, Type::INT4],
};

pub(crate) const PAUSE_QUEUE: Statement = Statement {
    sql: "select q.queue, q.paused_at, q.was_paused, q.in_use \
          from fairclaim.pause_queue(p_queue => $1::text) q",
    types: &[Type::TEXT],
};

pub(crate) const RESUME_QUEUE: Statement = Statement {
    sql: "select q.queue, q.paused_at, q.was_paused, q.in_use \
          from fairclaim.resume_queue(p_queue => $1::text) q",
    types: &[Type::TEXT],
};

pub(crate) const SET_QUEUE_FAIR_BY: Statement = Statement {
    sql: "select q.queue, q.fair_by, q.was_fair_by, q.in_use \
          from fairclaim.set_queue_fair_by(p_queue => $1::text, p_fair_by => $2::text) q",
    types: &[Type::TEXT, Type::TEXT],
};

pub(crate) const WORKERS: Statement = Statement {
    sql: "select w.id, w.host, w.version, w.queues, w.slots, w.types, w.running::int4 as running, \
          w.started_at, w.seen_at, w.silent_until, w.is_live, \
          pg_catalog.date_part('epoch', \
          fairclaim.clock() operator(pg_catalog.-) w.seen_at)::float8 as seen_seconds \
          from fairclaim.list_workers() w \
          order by w.id",
    types: &[],
};

pub(crate) const SETTINGS: Statement = Statement {
    sql: "select s.name, s.value, s.default_value, s.unit, s.about \
          from fairclaim.list_settings() s",
    types: &[],
};

pub(crate) const SET_SETTING: Statement = Statement {
    sql: "select s.name, s.value, s.default_value, s.unit, s.about \
          from fairclaim.set_setting(p_name => $1::text, p_value => $2::text) s",
    types: &[Type::TEXT, Type::TEXT],
};

/// Prunes with the retention that the installation is set to.
pub(crate) const PRUNE: Statement =
    Statement { sql: include_str!("../../../protocol/statements/prune.sql"), types: &[] };

/// Prunes with a retention in seconds that an operator chooses.
pub(crate) const PRUNE_OLDER: Statement = Statement {
    sql: "select p.rows_deleted, p.passed_over, p.busy, p.more \
          from fairclaim.prune(p_retention => $1::float8) p",
    types: &[Type::FLOAT8],
};

pub(crate) const DROP_RANGES: Statement =
    Statement { sql: include_str!("../../../protocol/statements/drop_ranges.sql"), types: &[] };

pub(crate) const DROP_RANGES_OLDER: Statement = Statement {
    sql: "select d.ranges_dropped, d.ranges_in_use \
          from fairclaim.drop_ranges(p_retention => $1::float8) d",
    types: &[Type::FLOAT8],
};
