//! The statements that clients of the older build send. Each text casts its parameters, so the
//! server knows their types. Those of workers are the same in every build until one is released.

pub(crate) const DISPATCH: &str = "select fairclaim.dispatch_job(p_tenant_id => $1::uuid, \
          p_type => $2::text, p_payload => $3::jsonb, p_queue => $4::text, p_priority => $5::int4, \
          p_run_at => $6::timestamptz, p_max_attempts => $7::int4, p_timeout => $8::float8, \
          p_tags => $9::text[], p_metadata => $10::jsonb)";

pub(crate) const DISPATCH_MANY: &str =
    "select d.id from fairclaim.dispatch_jobs(p_jobs => $1::jsonb) d order by d.ordinal";

pub(crate) const SETTLE: &str = include_str!("../../../protocol/statements/settle.sql");

pub(crate) const EXCHANGE: &str = include_str!("../../../protocol/statements/settle_and_claim.sql");

pub(crate) const EXTEND: &str = include_str!("../../../protocol/statements/extend_leases.sql");

pub(crate) const TICK: &str = include_str!("../../../protocol/statements/tick.sql");
