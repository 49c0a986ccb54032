//! The statements of operations on everything that one tenant has.

use tokio_postgres::types::Type;

use super::Statement;

pub(crate) const COUNT_TENANT: Statement = Statement {
    sql: "select c.jobs, c.waiting, c.scheduled, c.running, c.ended, c.errors, c.settings, c.more \
          from fairclaim.count_tenant(p_tenant_id => $1::uuid, p_up_to => 100000) c",
    types: &[Type::UUID],
};

pub(crate) const CANCEL_WAITING: Statement = Statement {
    sql: "select c.looked, c.cancelled as changed, c.passed, c.next \
          from fairclaim.cancel_waiting(p_tenant_id => $1::uuid, p_queue => $2::text, \
          p_type => $3::text, p_older_than => $4::float8, p_newer_than => $5::float8, \
          p_after => $6::uuid, p_why => $7::text) c",
    types: &[
        Type::UUID,
        Type::TEXT,
        Type::TEXT,
        Type::FLOAT8,
        Type::FLOAT8,
        Type::UUID,
        Type::TEXT,
    ],
};

pub(crate) const RETRY_FAILED: Statement = Statement {
    sql: "select r.looked, r.retried as changed, 0 as passed, r.next, r.until \
          from fairclaim.retry_failed(p_tenant_id => $1::uuid, p_queue => $2::text, \
          p_type => $3::text, p_older_than => $4::float8, p_newer_than => $5::float8, \
          p_after => $6::uuid, p_why => $7::text, p_error => $8::text, \
          p_per_second => $9::float8, p_start_at => $10::timestamptz) r",
    types: &[
        Type::UUID,
        Type::TEXT,
        Type::TEXT,
        Type::FLOAT8,
        Type::FLOAT8,
        Type::UUID,
        Type::TEXT,
        Type::TEXT,
        Type::FLOAT8,
        Type::TIMESTAMPTZ,
    ],
};

pub(crate) const MOVE_WAITING: Statement = Statement {
    sql: "select m.looked, m.moved as changed, m.passed, m.next \
          from fairclaim.move_waiting(p_tenant_id => $1::uuid, p_queue => $2::text, \
          p_to_queue => $3::text, p_type => $4::text, p_after => $5::uuid, p_why => $6::text) m",
    types: &[Type::UUID, Type::TEXT, Type::TEXT, Type::TEXT, Type::UUID, Type::TEXT],
};

pub(crate) const PURGE_TENANT: Statement = Statement {
    sql: "select p.jobs, p.errors, p.running, p.passed, p.settings, p.next, p.more \
          from fairclaim.purge_tenant(p_tenant_id => $1::uuid, p_after => $2::uuid, \
          p_why => $3::text) p",
    types: &[Type::UUID, Type::UUID, Type::TEXT],
};

pub(crate) const EXPORT_TENANT: Statement = Statement {
    sql: "select e.kind, e.document, e.next \
          from fairclaim.export_tenant(p_tenant_id => $1::uuid, p_after => $2::uuid, \
          p_limit => $3::int4, p_payloads => $4::bool) e",
    types: &[Type::UUID, Type::UUID, Type::INT4, Type::BOOL],
};

pub(crate) const DRAIN_TENANT: Statement = Statement {
    sql: "select d.drained_at, d.was_drained, true as in_use \
          from fairclaim.drain_tenant(p_tenant_id => $1::uuid, p_why => $2::text) d",
    types: &[Type::UUID, Type::TEXT],
};

pub(crate) const UNDRAIN_TENANT: Statement = Statement {
    sql: "select d.drained_at, d.was_drained, true as in_use \
          from fairclaim.undrain_tenant(p_tenant_id => $1::uuid, p_why => $2::text) d",
    types: &[Type::UUID, Type::TEXT],
};

pub(crate) const DRAIN_QUEUE: Statement = Statement {
    sql: "select d.drained_at, d.was_drained, d.in_use \
          from fairclaim.drain_queue(p_queue => $1::text, p_why => $2::text) d",
    types: &[Type::TEXT, Type::TEXT],
};

pub(crate) const UNDRAIN_QUEUE: Statement = Statement {
    sql: "select d.drained_at, d.was_drained, d.in_use \
          from fairclaim.undrain_queue(p_queue => $1::text, p_why => $2::text) d",
    types: &[Type::TEXT, Type::TEXT],
};

pub(crate) const SET_RETENTION: Statement = Statement {
    sql: "select r.retention, r.default_retention \
          from fairclaim.set_retention(p_tenant_id => $1::uuid, p_seconds => $2::float8, \
          p_why => $3::text) r",
    types: &[Type::UUID, Type::FLOAT8, Type::TEXT],
};

pub(crate) const QUOTAS: Statement = Statement {
    sql: "select q.tenant_id, q.tenant, q.queue, q.subject, q.max_waiting, q.refuses, q.waiting, \
          q.at_least, q.drained_at \
          from fairclaim.show_quotas(p_tenant_id => $1::uuid, p_queue => $2::text, \
          p_limit => 1000) q",
    types: &[Type::UUID, Type::TEXT],
};
