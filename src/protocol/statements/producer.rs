//! The statements of producers.

use tokio_postgres::types::Type;

use super::Statement;

pub(crate) const DISPATCH: Statement = Statement {
    sql: "select fairclaim.dispatch_job(p_tenant_id => $1::uuid, p_type => $2::text, \
          p_payload => $3::jsonb, p_queue => $4::text, p_priority => $5::int4, \
          p_run_at => $6::timestamptz, p_max_attempts => $7::int4, p_timeout => $8::float8, \
          p_tags => $9::text[], p_metadata => $10::jsonb, p_tenant => $11::text, \
          p_delay => $12::float8, p_key => $13::text, p_keep_order => $14::bool)",
    types: &[
        Type::UUID,
        Type::TEXT,
        Type::JSONB,
        Type::TEXT,
        Type::INT4,
        Type::TIMESTAMPTZ,
        Type::INT4,
        Type::FLOAT8,
        Type::TEXT_ARRAY,
        Type::JSONB,
        Type::TEXT,
        Type::FLOAT8,
        Type::TEXT,
        Type::BOOL,
    ],
};

pub(crate) const DISPATCH_MANY: Statement = Statement {
    sql: "select d.id from fairclaim.dispatch_jobs(p_jobs => $1::jsonb) d order by d.ordinal",
    types: &[Type::JSONB],
};

pub(crate) const DISPATCH_LINES: Statement = Statement {
    sql: "select d.accepted, d.lines, d.dispatched, d.refused, d.digest, d.defaults \
          from fairclaim.dispatch_lines(p_source => $1::text, p_after => $2::int8, \
          p_through => $3::int8, p_jobs => $4::jsonb, p_refused => $5::int4, \
          p_digest => $6::bytea, p_defaults => $7::bytea, p_anew => $8::bool) d",
    types: &[
        Type::TEXT,
        Type::INT8,
        Type::INT8,
        Type::JSONB,
        Type::INT4,
        Type::BYTEA,
        Type::BYTEA,
        Type::BOOL,
    ],
};

pub(crate) const GET_JOBS: Statement = Statement {
    sql: "select g.id, g.status, g.attempts::int4 as attempts, g.result, g.error_code, g.ended_at \
          from fairclaim.get_jobs(p_tenant_id => $1::uuid, p_ids => $2::uuid[]) g",
    types: &[Type::UUID, Type::UUID_ARRAY],
};

pub(crate) const CANCEL: Statement = Statement {
    sql: include_str!("../../../protocol/statements/cancel.sql"),
    types: &[Type::UUID, Type::UUID_ARRAY],
};

pub(crate) const RETRY: Statement = Statement {
    sql: include_str!("../../../protocol/statements/retry.sql"),
    types: &[Type::UUID, Type::UUID_ARRAY],
};
