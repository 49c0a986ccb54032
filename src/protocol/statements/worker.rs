//! The statements of workers.

use tokio_postgres::types::Type;

use super::Statement;

pub(crate) const SETTLE: Statement = Statement {
    sql: include_str!("../../../protocol/statements/settle.sql"),
    types: &[
        Type::TEXT,
        Type::UUID_ARRAY,
        Type::INT4_ARRAY,
        Type::UUID_ARRAY,
        Type::TEXT_ARRAY,
        Type::TEXT_ARRAY,
        Type::TEXT_ARRAY,
        Type::FLOAT8_ARRAY,
    ],
};

/// Settles and claims in one round trip. Empty ids or a limit of 0 leave one half out. Columns are
/// read by position. Most settlements are simply completed. Only the others are answered, so that a
/// thousand settlements do not cost a thousand rows.
pub(crate) const SETTLE_AND_CLAIM: Statement = Statement {
    sql: include_str!("../../../protocol/statements/settle_and_claim.sql"),
    types: &[
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
};

/// Asks which jobs are to be stopped. It neither settles nor claims.
pub(crate) const CANCELLED: Statement = Statement {
    sql: include_str!("../../../protocol/statements/cancelled.sql"),
    types: &[Type::TEXT],
};

/// Claims one job that two workers died of, for a caller that holds nothing. Its columns are those
/// of [`SETTLE_AND_CLAIM`], but the queue stands in place of the last ones.
pub(crate) const CLAIM_ALONE: Statement = Statement {
    sql: include_str!("../../../protocol/statements/claim_alone.sql"),
    types: &[Type::TEXT, Type::TEXT_ARRAY, Type::TEXT_ARRAY, Type::FLOAT8, Type::UUID],
};

pub(crate) const RELEASE: Statement = Statement {
    sql: include_str!("../../../protocol/statements/release_claims.sql"),
    types: &[Type::TEXT, Type::UUID_ARRAY],
};

pub(crate) const EXTEND: Statement = Statement {
    sql: include_str!("../../../protocol/statements/extend_leases.sql"),
    types: &[Type::TEXT, Type::UUID_ARRAY, Type::INT4_ARRAY, Type::UUID_ARRAY, Type::FLOAT8],
};

pub(crate) const TICK: Statement =
    Statement { sql: include_str!("../../../protocol/statements/tick.sql"), types: &[] };

/// Asks in how many seconds something is due. The answer is null if nothing is.
pub(crate) const NEXT_DUE: Statement =
    Statement { sql: include_str!("../../../protocol/statements/next_due.sql"), types: &[] };

/// Tells that the worker lives, and what its handlers took.
pub(crate) const REPORT_WORK: Statement = Statement {
    sql: include_str!("../../../protocol/statements/report_work.sql"),
    types: &[
        Type::TEXT,
        Type::TEXT,
        Type::TEXT,
        Type::TEXT_ARRAY,
        Type::INT4_ARRAY,
        Type::TEXT_ARRAY,
        Type::FLOAT8,
        Type::UUID_ARRAY,
        Type::TEXT_ARRAY,
        Type::INT4_ARRAY,
        Type::FLOAT8_ARRAY,
    ],
};

/// Asks what keeps the jobs of these queues from a worker of these types.
pub(crate) const WHY_IDLE: Statement = Statement {
    sql: "select w.reason, w.queue, w.type, w.jobs::int8, w.at_least, w.due_in, \
          w.handled_elsewhere \
          from fairclaim.why_idle(p_queues => $1::text[], p_types => $2::text[]) w",
    types: &[Type::TEXT_ARRAY, Type::TEXT_ARRAY],
};

/// Asks whether all functions that a worker calls are there, whether this login may call them, and
/// in which kind of transaction its calls run. It goes by names and not by signatures, since
/// functions may gain arguments.
pub(crate) const MAY_WORK: Statement = Statement {
    sql: "select coalesce(pg_catalog.bool_and(pg_catalog.has_schema_privilege(n.oid, 'usage') \
          and pg_catalog.has_function_privilege(p.oid, 'execute')), false) as may_work, \
          pg_catalog.count(distinct p.proname) = 4 as complete, \
          pg_catalog.current_setting('transaction_isolation') as isolation, \
          pg_catalog.current_setting('transaction_read_only') as read_only, \
          pg_catalog.pg_is_in_recovery() as is_standby \
          from pg_catalog.pg_namespace n \
          join pg_catalog.pg_proc p on p.pronamespace = n.oid \
          where n.nspname = 'fairclaim' \
          and p.proname in ('settle_and_claim', 'claim_jobs', 'extend_leases', 'release_claims')",
    types: &[],
};

/// Listens on the channel that wakes workers. The payload says what happened.
pub(crate) const LISTEN: &str = "listen fairclaim";
