//! Every SQL text that the library sends. They are calls to the functions of the schema and nothing
//! else. Those that a client of any language sends stand in `protocol/statements`.
//!
//! Each statement names the types of its parameters, so that it can travel in one round trip
//! without being prepared and works behind a transaction pooler. Columns are named one by one,
//! since a function may gain columns later. Durations are seconds in `float8`, since drivers have
//! no interval. An operator that has a literal beside it is named with its schema, and the literal
//! with its type, so that an operator of the same name in another schema is never chosen.

mod bounds;
#[cfg(feature = "doctor")]
pub(crate) mod doctor;
mod operator;
mod producer;
mod stats;
mod tenant_jobs;
#[cfg(feature = "worker")]
mod worker;

use tokio_postgres::types::{ToSql, Type};

#[cfg(feature = "worker")]
pub(crate) use self::worker::*;
pub(crate) use self::{bounds::*, operator::*, producer::*, stats::*, tenant_jobs::*};

/// What the driver takes as the value of a parameter.
pub(crate) type Value<'a> = &'a (dyn ToSql + Sync);

/// The text of a statement and the types of its parameters.
#[derive(Debug)]
pub(crate) struct Statement {
    pub(crate) sql: &'static str,
    pub(crate) types: &'static [Type],
}

impl Statement {
    /// Names the role that may send the statement. Where several may, it is the one that exists for
    /// this purpose.
    pub(crate) fn role(&self) -> &'static str {
        let calls = |names: &[&str]| {
            names.iter().any(|name| self.sql.contains(&format!("fairclaim.{name}")))
        };
        if calls(&["dispatch_", "cancel_jobs", "retry_jobs", "why_waiting"])
            || self.sql == CLOCK.sql
        {
            "fairclaim_producer"
        } else if calls(WORKER_CALLS) {
            "fairclaim_worker"
        } else if calls(&["doctor_", "schema_version"]) {
            "fairclaim_observer"
        } else {
            "fairclaim_operator"
        }
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
    "report_work",
];

pub(crate) const SCHEMA_VERSION: Statement =
    Statement { sql: "select fairclaim.schema_version()", types: &[] };

pub(crate) const CLOCK: Statement = Statement { sql: "select fairclaim.clock()", types: &[] };

pub(crate) const TENANT_NAMES: Statement = Statement {
    sql: "select t.tenant_id, t.name from fairclaim.tenant_names(p_tenant_ids => $1::uuid[]) t",
    types: &[Type::UUID_ARRAY],
};

/// Asks which process of the server a session has. Two sessions of one pooler may share it.
pub(crate) const BACKEND_PID: &str = "select pg_catalog.pg_backend_pid()";

/// Asks which processes hold, or asked earlier for, the lock that a process of the server waits
/// for. 0 is a prepared transaction.
#[cfg(feature = "migrate")]
pub(crate) const BLOCKERS: &str = "select distinct b.pid \
          from pg_catalog.unnest(pg_catalog.pg_blocking_pids($1)) b(pid) order by 1";

#[cfg(all(test, feature = "worker"))]
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
        ("report_work", &REPORT_WORK),
        ("retry", &RETRY),
        ("settle", &SETTLE),
        ("settle_and_claim", &SETTLE_AND_CLAIM),
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
}
