//! What clients of the older build send: their texts and types, word for word.

use tokio_postgres::types::Type;

/// A text and the types of its parameters.
pub(crate) type Statement = (&'static str, &'static [Type]);

pub(crate) const DISPATCH: Statement = (
    "select fairclaim.dispatch_job(p_tenant_id => $1::uuid, p_type => $2::text, p_payload => $3::jsonb, \
          p_queue => $4::text, p_priority => $5::int4, p_run_at => $6::timestamptz, p_max_attempts => $7::int4, \
          p_timeout => pg_catalog.make_interval(secs => $8::float8), p_tags => $9::text[], p_metadata => $10::jsonb)",
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
    "select s.id, s.accepted, s.status from fairclaim.settle_jobs(p_worker_id => $1::text, p_ids => $2::uuid[], \
          p_attempts => $3::int4[], p_lease_tokens => $4::uuid[], p_outcomes => $5::text[], p_results => $6::jsonb[], \
          p_errors => $7::jsonb[], p_delays => $8::float8[]) s",
    &[
        Type::TEXT,
        Type::UUID_ARRAY,
        Type::INT4_ARRAY,
        Type::UUID_ARRAY,
        Type::TEXT_ARRAY,
        Type::JSONB_ARRAY,
        Type::JSONB_ARRAY,
        Type::FLOAT8_ARRAY,
    ],
);

pub(crate) const EXCHANGE: Statement = (
    "select c.kind, c.accepted, c.status, c.id, c.tenant_id, c.type, c.payload, nullif(c.metadata, '{}'), \
          c.attempts::int4, c.max_attempts::int4, c.attempts_left::int4, c.lost::int4, \
          pg_catalog.date_part('epoch', c.timeout)::float8, c.created_at, c.lease_token, c.next_cursor \
          from fairclaim.settle_and_claim(p_worker_id => $1::text, p_ids => $2::uuid[], p_attempts => $3::int4[], \
          p_lease_tokens => $4::uuid[], p_outcomes => $5::text[], p_results => $6::jsonb[], p_errors => $7::jsonb[], \
          p_delays => $8::float8[], p_queues => $9::text[], p_limit => $10::int4, p_types => $11::text[], \
          p_lease => pg_catalog.make_interval(secs => $12::float8), p_cursor => $13::text) c \
          where c.kind = 'claimed' or not c.accepted or c.status <> 'completed'",
    &[
        Type::TEXT,
        Type::UUID_ARRAY,
        Type::INT4_ARRAY,
        Type::UUID_ARRAY,
        Type::TEXT_ARRAY,
        Type::JSONB_ARRAY,
        Type::JSONB_ARRAY,
        Type::FLOAT8_ARRAY,
        Type::TEXT_ARRAY,
        Type::INT4,
        Type::TEXT_ARRAY,
        Type::FLOAT8,
        Type::TEXT,
    ],
);

pub(crate) const EXTEND: Statement = (
    "select e.id, e.accepted, e.cancel_requested from fairclaim.extend_leases(p_worker_id => $1::text, \
          p_ids => $2::uuid[], p_attempts => $3::int4[], p_lease_tokens => $4::uuid[], \
          p_lease => pg_catalog.make_interval(secs => $5::float8)) e",
    &[Type::TEXT, Type::UUID_ARRAY, Type::INT4_ARRAY, Type::UUID_ARRAY, Type::FLOAT8],
);

pub(crate) const TICK: Statement = (
    "select t.promoted, t.returned, t.moved, t.floors, t.closed, t.deleted, t.safe_lag, t.busy, \
          pg_catalog.date_part('epoch', t.next_tick_in)::float8 as next_tick_in_seconds from fairclaim.tick() t",
    &[],
);
