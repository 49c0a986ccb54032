//! The doctor: it examines a database as far as this login may look, and says what to do. It
//! changes nothing.
//!
//! The database judges itself (`fairclaim.doctor_findings`), so that every client sees the same.
//! The library judges only what a client alone can tell: the connection, the version that this
//! build needs, and this machine's clock.

mod finding;
mod schema;
mod server;
mod topics;

use std::time::{Duration, SystemTime};

use tokio_postgres::{Row, types::Json};

pub use self::finding::{Finding, Level};
use self::{
    finding::span,
    topics::{SETTINGS, TOPICS, Topic},
};
use crate::{
    client::Client,
    error::{Error, ErrorKind, Result},
    protocol::statements::{
        Statement, Value,
        doctor::{FINDINGS, GUARD, SERVER},
    },
    schema::this_build,
};

/// What an examination found.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Diagnosis {
    /// The worst level among the findings.
    pub worst: Level,
    /// All findings, in the order of docs/operate/doctor.md.
    pub findings: Vec<Finding>,
}

impl Client {
    /// Examines the database as far as this login may look: the connection, the schema and who may
    /// use it, whether ticks run, who holds what back, queues, limits, space, settings. Changes
    /// nothing and locks nothing that others wait for.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) or
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) when the database cannot be
    /// reached at all. Whatever else fails is a finding.
    pub async fn diagnose(&self) -> Result<Diagnosis> {
        let mut examination = Examination {
            client: self,
            build: this_build(),
            findings: Vec::new(),
            unseen: Vec::new(),
        };
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
    /// What this build expects to be installed.
    build: serde_json::Value,
    findings: Vec<Finding>,
    /// What this login may not look at.
    unseen: Vec<&'static str>,
}

impl Examination<'_> {
    async fn all(&mut self) -> Result<()> {
        let rows = self.ask(&SERVER, &[]).await?;
        self.findings.extend(server::judge(&rows, self.client.prepares())?);
        let installed = rows.first().map_or(Ok(false), |row| number(row, "installed"))?;
        if !installed {
            self.findings.push(schema::missing());
            if let Some(text) = SETTINGS.text() {
                let found = self.by_text(&SETTINGS, &text).await;
                self.add(&SETTINGS, found);
            }
            return Ok(());
        }
        self.version().await;
        self.clock().await;
        for topic in TOPICS {
            let found = match (self.by_call(topic).await, topic.text()) {
                (Err(error), Some(text)) if error.kind() == ErrorKind::PrivilegeMissing => {
                    self.by_text(topic, &text).await
                }
                (found, _) => found,
            };
            self.add(topic, found);
        }
        Ok(())
    }

    fn add(&mut self, topic: &Topic, found: Result<Vec<Finding>>) {
        match found {
            Ok(found) => self.findings.extend(found),
            Err(error) => self.failed(topic.about, &error),
        }
    }

    async fn by_call(&self, topic: &Topic) -> Result<Vec<Finding>> {
        let build = topic.of_build.then_some(Json(&self.build));
        topics::findings(&self.ask(&FINDINGS, &[&topic.name, &build]).await?)
    }

    /// Sends the text of a topic that reads catalogs only.
    async fn by_text(&self, topic: &Topic, text: &Statement) -> Result<Vec<Finding>> {
        let build = Json(&self.build);
        let build: [Value<'_>; 1] = [&build];
        let parameters = if topic.of_build { &build[..] } else { &[] };
        topics::findings(&self.ask(text, parameters).await?)
    }

    /// Asks in a read-only transaction of its own.
    async fn ask(&self, statement: &Statement, parameters: &[Value<'_>]) -> Result<Vec<Row>> {
        let mut connection = self.client.connection().await?;
        let transaction = connection.build_transaction().read_only(true).start().await?;
        transaction.batch_execute(GUARD).await?;
        let rows = statement.rows(&*transaction, parameters).await?;
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

/// How wrong a clock may be. Beyond this it is noticed in the times that a program computes itself.
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
        "run NTP on both; leases do not suffer, since all times of jobs are the database's, but a \
         time that a program here \
         computes itself (run_at) is off by as much",
    )
}

fn not_looked_at(unseen: &[&'static str]) -> Option<Finding> {
    let advice = "as an administrator grant fairclaim_observer or fairclaim_operator to this \
                  login, and run it again";
    let what = unseen.join(", ");
    (!unseen.is_empty())
        .then(|| Finding::note("unseen", format!("this login may not look at: {what}"), advice))
}

/// Reads a number that must be there.
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
