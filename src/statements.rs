//! Every SQL text that the library sends. They are calls to the functions of the schema and nothing
//! else. Those that a client of any language sends stand in `protocol/statements`.
//!
//! Each statement names the types of its parameters, so that it can travel in one round trip
//! without being prepared and works behind a transaction pooler. Columns are named one by one,
//! since a function may gain columns later. Durations are seconds in `float8`, since drivers have
//! no interval. An operator that has a literal beside it is named with its schema, and the literal
//! with its type, so that an operator of the same name in another schema is never chosen.

#[cfg(feature = "doctor")]
pub(crate) mod doctor;

use std::{error::Error as StdError, fmt};

use deadpool_postgres::{ClientWrapper, StatementCache};
use tokio_postgres::{
    Client, GenericClient, Row,
    types::{Format, IsNull, ToSql, Type, private::BytesMut},
};

use crate::error::{Error, Result};

/// What the driver takes as the value of a parameter.
pub(crate) type Value<'a> = &'a (dyn ToSql + Sync);

/// A parameter that no log shows. At its debug level the driver prints all parameters, payloads and
/// lease tokens too.
struct Sealed<'a>(Value<'a>);

impl fmt::Debug for Sealed<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("…")
    }
}

impl ToSql for Sealed<'_> {
    fn to_sql(
        &self,
        of: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        self.0.to_sql_checked(of, out)
    }

    /// Accepts every type, since the value inside checks its type when it is written.
    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, of: &Type) -> Format {
        self.0.encode_format(of)
    }

    tokio_postgres::types::to_sql_checked!();
}

/// The text of a statement and the types of its parameters.
#[derive(Debug)]
pub(crate) struct Statement {
    pub(crate) sql: &'static str,
    pub(crate) types: &'static [Type],
}

/// A connection or transaction, and whether statements are prepared on it.
pub(crate) struct Via<'a, C> {
    client: &'a C,
    cache: Option<&'a StatementCache>,
    /// The login, where it is known. A refused call names it in the grant to ask for.
    login: Option<&'a str>,
}

impl<'a, C: GenericClient + Sync> Via<'a, C> {
    /// Sends statements whole, which works on every connection and takes about 0.1 ms more a call.
    pub(crate) fn whole(client: &'a C) -> Self {
        Self { client, cache: None, login: None }
    }

    /// Sets the login that is connected.
    pub(crate) fn of_login(self, login: Option<&'a str>) -> Self {
        Self { login, ..self }
    }
}

impl<'a> Via<'a, Client> {
    /// Prepares statements once on this connection. It must not be used behind a transaction
    /// pooler.
    pub(crate) fn prepared(connection: &'a ClientWrapper) -> Self {
        Self { client: connection, cache: Some(&connection.statement_cache), login: None }
    }
}

impl Statement {
    /// Sends the statement whole and reads all rows.
    pub(crate) async fn rows<C: GenericClient + Sync>(
        &self,
        client: &C,
        parameters: &[Value<'_>],
    ) -> Result<Vec<Row>> {
        self.rows_via(&Via::whole(client), parameters).await
    }

    /// Sends the statement and reads all rows.
    pub(crate) async fn rows_via<C: GenericClient + Sync>(
        &self,
        via: &Via<'_, C>,
        parameters: &[Value<'_>],
    ) -> Result<Vec<Row>> {
        self.send(via, parameters).await.map_err(|error| {
            let error = Error::from(error);
            if error.lacks_role() { error.wanting(role_of(self.sql), via.login) } else { error }
        })
    }

    async fn send<C: GenericClient + Sync>(
        &self,
        via: &Via<'_, C>,
        parameters: &[Value<'_>],
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        debug_assert_eq!(parameters.len(), self.types.len());
        let sealed: Vec<Sealed<'_>> = parameters.iter().map(|&value| Sealed(value)).collect();
        let values = sealed.iter().map(|value| value as Value<'_>);
        if let Some(cache) = via.cache {
            let prepared = cache.prepare_typed(via.client.client(), self.sql, self.types).await?;
            return via.client.query(&prepared, &values.collect::<Vec<_>>()).await;
        }
        let typed: Vec<_> = values.zip(self.types.iter().cloned()).collect();
        via.client.query_typed(self.sql, &typed).await
    }

    /// Sends the statement and reads the one row that it always answers.
    pub(crate) async fn row_via<C: GenericClient + Sync>(
        &self,
        via: &Via<'_, C>,
        parameters: &[Value<'_>],
    ) -> Result<Row> {
        self.rows_via(via, parameters).await?.pop().ok_or_else(|| {
            Error::schema_mismatch(
                "a call that always answers did not",
                "run `fairclaim migrate` against this database",
            )
        })
    }
}

/// Names the role that may send one of these texts. Where several may, it is the one that exists
/// for this purpose.
fn role_of(sql: &str) -> &'static str {
    let calls =
        |names: &[&str]| names.iter().any(|name| sql.contains(&format!("fairclaim.{name}")));
    if calls(&["dispatch_", "cancel_jobs", "retry_jobs"]) || sql == CLOCK.sql {
        "fairclaim_producer"
    } else if calls(WORKER_CALLS) {
        "fairclaim_worker"
    } else if calls(&["doctor_", "schema_version"]) {
        "fairclaim_observer"
    } else {
        "fairclaim_operator"
    }
}

const WORKER_CALLS: &[&str] = &[
    "claim_",
    "settle_",
    "extend_",
    "release_claims",
    "tick()",
    "drop_ranges()",
    "prune()",
    "next_due",
];

// ---- schema

pub(crate) const SCHEMA_VERSION: Statement =
    Statement { sql: "select fairclaim.schema_version()", types: &[] };

// ---- producer

pub(crate) const DISPATCH: Statement = Statement {
    sql: "select fairclaim.dispatch_job(p_tenant_id => $1::uuid, p_type => $2::text, p_payload => \
          $3::jsonb, \
          p_queue => $4::text, p_priority => $5::int4, p_run_at => $6::timestamptz, \
          p_max_attempts => $7::int4, \
          p_timeout => $8::float8, p_tags => $9::text[], p_metadata => $10::jsonb, p_tenant => \
          $11::text, \
          p_delay => $12::float8)",
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
    ],
};

pub(crate) const DISPATCH_MANY: Statement = Statement {
    sql: "select d.id from fairclaim.dispatch_jobs(p_jobs => $1::jsonb) d order by d.ordinal",
    types: &[Type::JSONB],
};

pub(crate) const DISPATCH_LINES: Statement = Statement {
    sql: "select d.accepted, d.lines, d.dispatched, d.refused, d.digest, d.defaults from \
          fairclaim.dispatch_lines(p_source => $1::text, \
          p_after => $2::int8, p_through => $3::int8, p_jobs => $4::jsonb, p_refused => $5::int4, \
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

pub(crate) const TENANT_NAMES: Statement = Statement {
    sql: "select t.tenant_id, t.name from fairclaim.tenant_names(p_tenant_ids => $1::uuid[]) t",
    types: &[Type::UUID_ARRAY],
};

pub(crate) const CANCEL: Statement = Statement {
    sql: include_str!("../protocol/statements/cancel.sql"),
    types: &[Type::UUID, Type::UUID_ARRAY],
};

pub(crate) const RETRY: Statement = Statement {
    sql: include_str!("../protocol/statements/retry.sql"),
    types: &[Type::UUID, Type::UUID_ARRAY],
};

// ---- operator

pub(crate) const RELEASE_JOBS: Statement = Statement {
    sql: "select r.id, r.status from fairclaim.release_jobs(p_tenant_id => $1::uuid, p_ids => \
          $2::uuid[]) r",
    types: &[Type::UUID, Type::UUID_ARRAY],
};

pub(crate) const RELEASE_WORKER: Statement = Statement {
    sql: "select r.id, r.status from fairclaim.release_worker(p_worker_id => $1::text, p_limit => \
          $2::int4) r",
    types: &[Type::TEXT, Type::INT4],
};

pub(crate) const DELETE: Statement = Statement {
    sql: "select d.id, d.status, d.deleted from fairclaim.delete_jobs(p_tenant_id => $1::uuid, \
          p_ids => $2::uuid[]) d",
    types: &[Type::UUID, Type::UUID_ARRAY],
};

pub(crate) const LIST: Statement = Statement {
    sql: "select l.id, l.tenant_id, l.queue, l.type, l.status, l.priority::int4 as priority, \
          l.attempts::int4 as attempts, \
          l.max_attempts::int4 as max_attempts, l.worker_id, l.next_retry_at, l.created_at, \
          l.completed_at, l.tags, \
          l.attempts_left::int4 as attempts_left, l.error_code, l.error_message, l.more, \
          l.tenant, fairclaim.clock() as read_at \
          from fairclaim.list_jobs(p_tenant_id => $1::uuid, p_queue => $2::text, p_type => \
          $3::text, p_status => $4::text, \
          p_older_than => $5::float8, p_newer_than => $6::float8, p_error => $7::text, \
          p_before_id => $8::uuid, p_limit => $9::int4) l order by l.id desc",
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
    sql: "select c.jobs, c.more from fairclaim.count_jobs(p_tenant_id => $1::uuid, p_queue => \
          $2::text, p_type => $3::text, \
          p_status => $4::text, p_older_than => $5::float8, p_newer_than => $6::float8, p_error \
          => $7::text, \
          p_before_id => $8::uuid, p_up_to => $9::int4) c",
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

pub(crate) const QUEUES: Statement = Statement {
    sql: "select q.queue, q.paused_at, q.waiting::int4 as waiting, q.tenants_waiting::int4 as \
          tenants_waiting, \
          q.oldest_waiting_at, q.scheduled::int4 as scheduled, q.running::int4 as running, \
          q.at_least, \
          pg_catalog.date_part('epoch', fairclaim.clock() operator(pg_catalog.-) \
          q.oldest_waiting_at)::float8 as oldest_seconds \
          from fairclaim.list_queues() q order by q.queue",
    types: &[],
};

pub(crate) const PAUSE_QUEUE: Statement = Statement {
    sql: "select q.queue, q.paused_at, q.was_paused, q.in_use from fairclaim.pause_queue(p_queue \
          => $1::text) q",
    types: &[Type::TEXT],
};

pub(crate) const RESUME_QUEUE: Statement = Statement {
    sql: "select q.queue, q.paused_at, q.was_paused, q.in_use from fairclaim.resume_queue(p_queue \
          => $1::text) q",
    types: &[Type::TEXT],
};

pub(crate) const SETTINGS: Statement = Statement {
    sql: "select s.name, s.value, s.default_value, s.unit, s.about from fairclaim.list_settings() \
          s",
    types: &[],
};

pub(crate) const SET_SETTING: Statement = Statement {
    sql: "select s.name, s.value, s.default_value, s.unit, s.about \
          from fairclaim.set_setting(p_name => $1::text, p_value => $2::text) s",
    types: &[Type::TEXT, Type::TEXT],
};

/// Prunes with a retention in seconds that an operator chooses.
pub(crate) const PRUNE_OLDER: Statement = Statement {
    sql: "select p.rows_deleted, p.passed_over, p.busy, p.more \
          from fairclaim.prune(p_retention => $1::float8) p",
    types: &[Type::FLOAT8],
};

pub(crate) const DROP_RANGES_OLDER: Statement = Statement {
    sql: "select d.ranges_dropped, d.ranges_in_use \
          from fairclaim.drop_ranges(p_retention => $1::float8) d",
    types: &[Type::FLOAT8],
};

pub(crate) const SHOW: Statement = Statement {
    sql: "select s.id, s.tenant_id, s.queue, s.type, s.status, s.priority::int4 as priority, \
          s.attempts::int4 as attempts, \
          s.max_attempts::int4 as max_attempts, s.worker_id, s.next_retry_at, s.created_at, \
          s.completed_at, s.tags, \
          s.timeout as timeout_seconds, s.payload, s.result, s.error, s.metadata, \
          s.errors, s.tenant, s.attempts_left::int4 as attempts_left, s.lost::int4 as lost, \
          s.run_at, s.lease_expires_at, \
          s.cancel_requested, fairclaim.clock() as read_at \
          from fairclaim.show_job(p_id => $1::uuid, p_tenant_id => $2::uuid) s",
    types: &[Type::UUID, Type::UUID],
};

// ---- worker

pub(crate) const SETTLE: Statement = Statement {
    sql: include_str!("../protocol/statements/settle.sql"),
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
pub(crate) const EXCHANGE: Statement = Statement {
    sql: include_str!("../protocol/statements/settle_and_claim.sql"),
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
pub(crate) const CANCELLED: Statement =
    Statement { sql: include_str!("../protocol/statements/cancelled.sql"), types: &[Type::TEXT] };

/// Claims one job that two workers died of, for a caller that holds nothing. Its columns are those
/// of [`EXCHANGE`], but the queue stands in place of the last ones.
pub(crate) const CLAIM_ALONE: Statement = Statement {
    sql: include_str!("../protocol/statements/claim_alone.sql"),
    types: &[Type::TEXT, Type::TEXT_ARRAY, Type::TEXT_ARRAY, Type::FLOAT8, Type::UUID],
};

pub(crate) const RELEASE: Statement = Statement {
    sql: include_str!("../protocol/statements/release_claims.sql"),
    types: &[Type::TEXT, Type::UUID_ARRAY],
};

pub(crate) const EXTEND: Statement = Statement {
    sql: include_str!("../protocol/statements/extend_leases.sql"),
    types: &[Type::TEXT, Type::UUID_ARRAY, Type::INT4_ARRAY, Type::UUID_ARRAY, Type::FLOAT8],
};

pub(crate) const TICK: Statement =
    Statement { sql: include_str!("../protocol/statements/tick.sql"), types: &[] };

/// Asks in how many seconds something is due. The answer is null if nothing is.
pub(crate) const NEXT_DUE: Statement =
    Statement { sql: include_str!("../protocol/statements/next_due.sql"), types: &[] };

/// Asks what keeps the jobs of these queues from a worker of these types.
pub(crate) const WHY_IDLE: Statement = Statement {
    sql: "select w.reason, w.queue, w.type, w.jobs::int8, w.at_least, w.due_in \
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
          from pg_catalog.pg_namespace n join pg_catalog.pg_proc p on p.pronamespace = n.oid \
          where n.nspname = 'fairclaim' and p.proname in ('settle_and_claim', 'claim_jobs', \
          'extend_leases', 'release_claims')",
    types: &[],
};

/// Prunes with the retention that the installation is set to.
pub(crate) const PRUNE: Statement =
    Statement { sql: include_str!("../protocol/statements/prune.sql"), types: &[] };

pub(crate) const DROP_RANGES: Statement =
    Statement { sql: include_str!("../protocol/statements/drop_ranges.sql"), types: &[] };

pub(crate) const CLOCK: Statement = Statement { sql: "select fairclaim.clock()", types: &[] };

/// Listens on the channel that wakes workers. The payload says what happened.
pub(crate) const LISTEN: &str = "listen fairclaim";

/// Asks which process of the server a session has. Two sessions of one pooler may share it.
pub(crate) const BACKEND_PID: &str = "select pg_catalog.pg_backend_pid()";

/// Asks which processes hold, or asked earlier for, the lock that a process of the server waits
/// for. 0 is a prepared transaction.
pub(crate) const BLOCKERS: &str = "select distinct b.pid from \
                                   pg_catalog.unnest(pg_catalog.pg_blocking_pids($1)) b(pid) \
                                   order by 1";

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fs, path::Path};

    use super::*;

    /// The files that clients of other languages read too.
    const SHARED: &[(&str, &Statement)] = &[
        ("cancel", &CANCEL),
        ("cancelled", &CANCELLED),
        ("claim_alone", &CLAIM_ALONE),
        ("drop_ranges", &DROP_RANGES),
        ("extend_leases", &EXTEND),
        ("next_due", &NEXT_DUE),
        ("prune", &PRUNE),
        ("release_claims", &RELEASE),
        ("retry", &RETRY),
        ("settle", &SETTLE),
        ("settle_and_claim", &EXCHANGE),
        ("tick", &TICK),
    ];

    #[test]
    fn every_shared_statement_is_sent_and_told_of() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("protocol/statements");
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            files.insert(name, fs::read_to_string(&path).unwrap());
        }
        let readme = files.remove("README").unwrap();
        assert!(files.keys().map(String::as_str).eq(SHARED.iter().map(|(name, _)| *name)));
        for (name, statement) in SHARED {
            assert_eq!(files[*name], statement.sql);
            assert!(readme.contains(&format!("`{name}`")), "{name}");
        }
    }

    /// Other drivers have the types of parameters from the text alone, and not all can bind all of
    /// them.
    #[test]
    fn a_shared_statement_names_the_types_of_its_parameters_and_they_are_plain() {
        for (name, statement) in SHARED {
            for (n, of) in statement.types.iter().enumerate() {
                let plain = of.name().trim_start_matches('_');
                assert!(
                    ["text", "int4", "float8", "bool", "uuid"].contains(&plain),
                    "{name}: {of}"
                );
                let list = if of.name().starts_with('_') { "[]" } else { "" };
                let said = format!("${}::{plain}{list}", n + 1);
                let at = statement.sql.find(&said).unwrap_or_else(|| panic!("{name}: {said}"));
                let end = statement.sql[at + said.len()..].chars().next();
                assert!(matches!(end, Some(',' | ')')), "{name}: {said}");
            }
            let last = format!("${}", statement.types.len() + 1);
            assert!(!statement.sql.contains(&last), "{name} has more");
        }
    }

    #[test]
    fn a_parameter_shows_nothing_of_itself_and_is_written_as_what_it_is() {
        let payload = serde_json::json!({ "pin": "4711" });
        let sealed = Sealed(&payload);
        assert_eq!(format!("{:?}", &[&sealed as Value<'_>]), "[…]");
        let (mut plain, mut hidden) = (BytesMut::new(), BytesMut::new());
        payload.to_sql_checked(&Type::JSONB, &mut plain).unwrap();
        sealed.to_sql_checked(&Type::JSONB, &mut hidden).unwrap();
        assert_eq!(plain, hidden);
        assert!(
            sealed.to_sql_checked(&Type::UUID, &mut hidden).is_err(),
            "types are still checked"
        );
    }
}
