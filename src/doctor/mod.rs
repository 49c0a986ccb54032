//! The doctor: examines a database as far as this login may look, and says what to do. It changes nothing.
//!
//! Each check asks one bounded question in a read-only transaction of its own and judges the answer. One that fails, or is
//! forbidden, stops no other.

mod access;
mod finding;
mod maintenance;
mod retention;
mod roles;
mod schema;
mod server;
mod settings;
mod space;
mod transactions;
mod work;

use std::time::{Duration, SystemTime};

use tokio_postgres::Row;

use self::finding::span;
pub use self::finding::{Finding, Level};
use crate::{
    client::Client,
    error::{Error, ErrorKind, Result},
    statements::{
        Statement,
        doctor::{GUARD, SERVER},
    },
};

/// One question and how its answer is judged.
struct Check {
    /// What it looks at, in a few words.
    about: &'static str,
    statement: &'static Statement,
    judge: fn(&[Row]) -> Result<Vec<Finding>>,
}

/// Those that a database without our schema can be asked too.
const OF_ANY_DATABASE: &[&[Check]] = &[settings::CHECKS];

/// Those of an installation, in the order in which they are told.
const OF_THE_SCHEMA: &[&[Check]] = &[
    schema::CHECKS,
    access::CHECKS,
    roles::CHECKS,
    maintenance::CHECKS,
    retention::CHECKS,
    transactions::CHECKS,
    work::CHECKS,
    space::CHECKS,
];

/// What an examination found.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Diagnosis {
    /// The worst level among the findings.
    pub worst: Level,
    /// Everything, in the order of docs/operate/doctor.md.
    pub findings: Vec<Finding>,
}

impl Client {
    /// Examines the database as far as this login may look: the connection, the schema and who may use it, whether ticks run,
    /// who holds what back, queues, limits, space, settings. Changes nothing and locks nothing that others wait for.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) or
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) when the database cannot be
    /// reached at all. Whatever else fails is a finding.
    pub async fn diagnose(&self) -> Result<Diagnosis> {
        let mut examination =
            Examination { client: self, findings: Vec::new(), unseen: Vec::new() };
        examination.all().await?;
        let Examination { mut findings, unseen, .. } = examination;
        findings.extend(not_looked_at(&unseen));
        let worst = findings.iter().map(|finding| finding.level).max().unwrap_or(Level::Ok);
        Ok(Diagnosis { worst, findings })
    }
}

/// An examination under way.
struct Examination<'a> {
    client: &'a Client,
    findings: Vec<Finding>,
    /// What this login may not look at.
    unseen: Vec<&'static str>,
}

impl Examination<'_> {
    async fn all(&mut self) -> Result<()> {
        let rows = self.ask(&SERVER).await?;
        self.findings.extend(server::judge(&rows, self.client.prepares())?);
        let installed = rows.first().map_or(Ok(false), |row| number(row, "installed"))?;
        if installed {
            self.version().await;
            self.clock().await;
            self.checks(OF_THE_SCHEMA).await;
        } else {
            self.findings.push(schema::missing());
        }
        self.checks(OF_ANY_DATABASE).await;
        Ok(())
    }

    async fn checks(&mut self, checks: &[&[Check]]) {
        for check in checks.iter().copied().flatten() {
            let found = match self.ask(check.statement).await {
                Ok(rows) => (check.judge)(&rows),
                Err(error) => Err(error),
            };
            match found {
                Ok(found) => self.findings.extend(found),
                Err(error) => self.failed(check.about, &error),
            }
        }
    }

    /// Asks in a read-only transaction of its own.
    async fn ask(&self, statement: &Statement) -> Result<Vec<Row>> {
        let mut connection = self.client.connection().await?;
        let transaction = connection.build_transaction().read_only(true).start().await?;
        transaction.batch_execute(GUARD).await?;
        let rows = statement.rows(&*transaction, &[]).await?;
        transaction.commit().await?;
        Ok(rows)
    }

    fn failed(&mut self, about: &'static str, error: &Error) {
        if error.kind() == ErrorKind::PrivilegeMissing {
            self.unseen.push(about);
            return;
        }
        let advice = error.hint().unwrap_or("run it again; if it stays, report it");
        self.findings.push(Finding::warning(
            "failed_check",
            format!("could not look at {about}: {error}"),
            advice,
        ));
    }

    async fn version(&mut self) {
        match self.client.schema_version().await {
            Ok(version) => self.findings.push(schema::version(version)),
            Err(error) => self.failed("the schema's version", &error),
        }
    }

    /// Compares the clocks of this machine and of the database, to half a round trip.
    #[expect(
        clippy::disallowed_methods,
        reason = "whether this machine's clock is wrong is the question"
    )]
    async fn clock(&mut self) {
        let before = SystemTime::now();
        match self.client.clock().await {
            Ok(theirs) => {
                let trip = before.elapsed().unwrap_or_default();
                self.findings.push(skew(before + trip / 2, theirs, trip / 2));
            }
            Err(error) => self.failed("the database's clock", &error),
        }
    }
}

/// From here on a clock is wrong enough to be noticed in the times that a program computes itself.
const SKEW: Duration = Duration::from_secs(5);

fn skew(ours: SystemTime, theirs: SystemTime, uncertain: Duration) -> Finding {
    let (off, way) = match ours.duration_since(theirs) {
        Ok(ahead) => (ahead, "ahead of"),
        Err(behind) => (behind.duration(), "behind"),
    };
    if off <= SKEW + uncertain {
        return Finding::ok("clock", "this machine and the database agree on the time");
    }
    Finding::warning(
        "clock",
        format!("this machine is {} {way} the database", span(off.as_secs_f64())),
        "run NTP on both; leases do not suffer, since all times of jobs are the database's, but a time that a program here \
         computes itself (run_at) is off by as much",
    )
}

fn not_looked_at(unseen: &[&'static str]) -> Option<Finding> {
    let advice = "as an administrator grant fairclaim_observer or fairclaim_operator to this login, and run it again";
    let what = unseen.join(", ");
    (!unseen.is_empty())
        .then(|| Finding::note("unseen", format!("this login may not look at: {what}"), advice))
}

/// A number that must be there.
fn number<'a, T: tokio_postgres::types::FromSql<'a>>(row: &'a Row, name: &str) -> Result<T> {
    Ok(row.try_get(name)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_judged_by_more_than_the_round_trip_explains() {
        let ours = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let judge = |seconds: u64, uncertain: u64| {
            let off = Duration::from_secs(seconds);
            let uncertain = Duration::from_secs(uncertain);
            (skew(ours, ours + off, uncertain).level, skew(ours, ours - off, uncertain).level)
        };
        assert_eq!(judge(4, 0), (Level::Ok, Level::Ok));
        assert_eq!(judge(60, 0), (Level::Warning, Level::Warning));
        assert_eq!(judge(60, 58), (Level::Ok, Level::Ok));
        assert!(skew(ours, ours + Duration::from_secs(60), Duration::ZERO).seen.contains("behind"));
    }

    #[test]
    fn what_was_not_looked_at_is_said_once() {
        assert_eq!(not_looked_at(&[]), None);
        let found = not_looked_at(&["limits", "queues"]).expect("a finding");
        assert!(found.seen.ends_with("limits, queues") && found.level == Level::Note);
    }
}
