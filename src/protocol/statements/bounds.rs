//! The statements that set and show weights, limits, quotas and pauses.

use tokio_postgres::types::Type;

use super::Statement;

pub(crate) const SET_WEIGHT: Statement = Statement {
    sql: "select b.kind, b.subject, b.tenant_id, b.tenant, b.queue, b.base, b.override, b.in_force, \
          b.refuses, b.set_by, b.why, b.until, b.set_at, \
          b.known, b.in_use \
          from fairclaim.set_weight(p_tenant_id => $1::uuid, \
          p_weight => $2::int4, \
          p_queue => $3::text, \
          p_why => $4::text, \
          p_until => $5::timestamptz) b",
    types: &[Type::UUID, Type::INT4, Type::TEXT, Type::TEXT, Type::TIMESTAMPTZ],
};

pub(crate) const SET_LIMIT: Statement = Statement {
    sql: "select b.kind, b.subject, b.tenant_id, b.tenant, b.queue, b.base, b.override, b.in_force, \
          b.refuses, b.set_by, b.why, b.until, b.set_at, \
          b.known, b.in_use \
          from fairclaim.set_limit(p_tenant_id => $1::uuid, \
          p_max_running => $2::int4, \
          p_queue => $3::text, \
          p_why => $4::text, \
          p_until => $5::timestamptz) b",
    types: &[Type::UUID, Type::INT4, Type::TEXT, Type::TEXT, Type::TIMESTAMPTZ],
};

pub(crate) const SET_DEFAULT_LIMIT: Statement = Statement {
    sql: "select b.kind, b.subject, b.tenant_id, b.tenant, b.queue, b.base, b.override, b.in_force, \
          b.refuses, b.set_by, b.why, b.until, b.set_at, \
          b.known, b.in_use \
          from fairclaim.set_default_limit(p_max_running => $1::int4, \
          p_queue => $2::text, \
          p_why => $3::text, \
          p_until => $4::timestamptz) b",
    types: &[Type::INT4, Type::TEXT, Type::TEXT, Type::TIMESTAMPTZ],
};

pub(crate) const SET_QUEUE_LIMIT: Statement = Statement {
    sql: "select b.kind, b.subject, b.tenant_id, b.tenant, b.queue, b.base, b.override, b.in_force, \
          b.refuses, b.set_by, b.why, b.until, b.set_at, \
          b.known, b.in_use \
          from fairclaim.set_queue_limit(p_queue => $1::text, \
          p_max_running => $2::int4, \
          p_why => $3::text, \
          p_until => $4::timestamptz) b",
    types: &[Type::TEXT, Type::INT4, Type::TEXT, Type::TIMESTAMPTZ],
};

pub(crate) const SET_QUOTA: Statement = Statement {
    sql: "select b.kind, b.subject, b.tenant_id, b.tenant, b.queue, b.base, b.override, b.in_force, \
          b.refuses, b.set_by, b.why, b.until, b.set_at, \
          b.known, b.in_use \
          from fairclaim.set_quota(p_tenant_id => $1::uuid, \
          p_max_waiting => $2::int4, \
          p_queue => $3::text, \
          p_why => $4::text, \
          p_until => $5::timestamptz, \
          p_refuses => $6::bool) b",
    types: &[Type::UUID, Type::INT4, Type::TEXT, Type::TEXT, Type::TIMESTAMPTZ, Type::BOOL],
};

pub(crate) const SET_DEFAULT_QUOTA: Statement = Statement {
    sql: "select b.kind, b.subject, b.tenant_id, b.tenant, b.queue, b.base, b.override, b.in_force, \
          b.refuses, b.set_by, b.why, b.until, b.set_at, \
          b.known, b.in_use \
          from fairclaim.set_default_quota(p_max_waiting => $1::int4, \
          p_queue => $2::text, \
          p_why => $3::text, \
          p_until => $4::timestamptz, \
          p_refuses => $5::bool) b",
    types: &[Type::INT4, Type::TEXT, Type::TEXT, Type::TIMESTAMPTZ, Type::BOOL],
};

pub(crate) const PAUSE_TENANT: Statement = Statement {
    sql: "select b.tenant_id, b.tenant, b.paused_at, b.until, b.was_paused, b.known \
          from fairclaim.pause_tenant(p_tenant_id => $1::uuid, \
          p_why => $2::text, \
          p_until => $3::timestamptz) b",
    types: &[Type::UUID, Type::TEXT, Type::TIMESTAMPTZ],
};

pub(crate) const RESUME_TENANT: Statement = Statement {
    sql: "select b.tenant_id, b.tenant, b.paused_at, b.until, b.was_paused, b.known \
          from fairclaim.resume_tenant(p_tenant_id => $1::uuid, \
          p_why => $2::text) b",
    types: &[Type::UUID, Type::TEXT],
};

pub(crate) const DECLARE_LIMITS: Statement = Statement {
    sql: "select b.change, b.what, b.kind, b.tenant_id, b.queue, b.old, b.new, b.refuses \
          from fairclaim.declare_limits(p_document => $1::jsonb, \
          p_dry_run => $2::bool, \
          p_why => $3::text) b",
    types: &[Type::JSONB, Type::BOOL, Type::TEXT],
};

pub(crate) const LIMITS: Statement = Statement {
    sql: "select b.kind, b.subject, b.tenant_id, b.tenant, b.queue, b.base, b.override, b.in_force, \
          b.refuses, b.set_by, b.why, b.until, b.set_at \
          from fairclaim.show_limits(p_tenant_id => $1::uuid, \
          p_queue => $2::text, \
          p_after => $3::uuid, \
          p_limit => $4::int4) b",
    types: &[Type::UUID, Type::TEXT, Type::UUID, Type::INT4],
};

pub(crate) const AUDIT: Statement = Statement {
    sql: "select b.audit_id, b.at, b.who, b.what, b.subject, b.tenant_id, b.tenant, b.queue, \
          b.old_value, b.new_value, b.until, b.why, b.many \
          from fairclaim.list_audit(p_limit => $1::int4, \
          p_before => $2::int8) b",
    types: &[Type::INT4, Type::INT8],
};
