//! What clients of the older build send: texts and types. Those of workers are the same in every build until one is released.

use tokio_postgres::types::Type;

/// A text and the types of its parameters.
pub(crate) type Statement = (&'static str, &'static [Type]);

pub(crate) const DISPATCH: Statement = (
    "select fairclaim.dispatch_job(p_tenant_id => $1::uuid, p_type => $2::text, p_payload => $3::jsonb, \
          p_queue => $4::text, p_priority => $5::int4, p_run_at => $6::timestamptz, p_max_attempts => $7::int4, \
          p_timeout => $8::float8, p_tags => $9::text[], p_metadata => $10::jsonb)",
    &[
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
    ],
);

pub(crate) const DISPATCH_MANY: Statement = (
    "select d.id from fairclaim.dispatch_jobs(p_jobs => $1::jsonb) d order by d.ordinal",
    &[Type::JSONB],
);

pub(crate) const SETTLE: Statement = (
    include_str!("../../../protocol/statements/settle.sql"),
    &[
        Type::TEXT,
        Type::UUID_ARRAY,
        Type::INT4_ARRAY,
        Type::UUID_ARRAY,
        Type::TEXT_ARRAY,
        Type::TEXT_ARRAY,
        Type::TEXT_ARRAY,
        Type::FLOAT8_ARRAY,
    ],
);

pub(crate) const EXCHANGE: Statement = (
    include_str!("../../../protocol/statements/settle_and_claim.sql"),
    &[
        Type::TEXT,
        Type::UUID_ARRAY,
        Type::INT4_ARRAY,
        Type::UUID_ARRAY,
        Type::TEXT_ARRAY,
        Type::TEXT_ARRAY,
        Type::TEXT_ARRAY,
        Type::FLOAT8_ARRAY,
        Type::TEXT_ARRAY,
        Type::INT4,
        Type::TEXT_ARRAY,
        Type::FLOAT8,
        Type::TEXT,
        Type::UUID,
        Type::FLOAT8,
    ],
);

pub(crate) const EXTEND: Statement = (
    include_str!("../../../protocol/statements/extend_leases.sql"),
    &[Type::TEXT, Type::UUID_ARRAY, Type::INT4_ARRAY, Type::UUID_ARRAY, Type::FLOAT8],
);

pub(crate) const TICK: Statement = (include_str!("../../../protocol/statements/tick.sql"), &[]);
