//! The topics of `fairclaim.doctor_findings`, which judges all but the connection.

use tokio_postgres::{Row, types::Type};

use super::{Finding, Level};
use crate::{
    error::{Error, Result},
    protocol::statements::Statement,
    schema,
};

/// What a topic looks at, and how a login that may not call the function gets its findings.
#[derive(Debug)]
pub(super) struct Topic {
    /// The argument of the function.
    pub(super) name: &'static str,
    /// What it looks at, in a few words.
    pub(super) about: &'static str,
    /// The function whose text reads catalogs only, so that it can be sent instead.
    catalogs: Option<&'static str>,
    /// Whether it compares the database with this build.
    pub(super) of_build: bool,
}

const fn topic(name: &'static str, about: &'static str) -> Topic {
    Topic { name, about, catalogs: None, of_build: false }
}

impl Topic {
    const fn by_catalogs(self, function: &'static str) -> Self {
        Self { catalogs: Some(function), ..self }
    }

    const fn of_build(self) -> Self {
        Self { of_build: true, ..self }
    }

    /// Returns the text that can be sent instead of a call, as the function has it. It answers the
    /// same columns.
    pub(super) fn text(&self) -> Option<Statement> {
        let function = self.catalogs?;
        let (_, sql) = schema::bodies().find(|(name, _)| *name == function)?;
        Some(Statement { sql, types: if self.of_build { &[Type::JSONB] } else { &[] } })
    }
}

/// The topic that can be asked of a database without our schema too.
pub(super) const SETTINGS: Topic =
    topic("settings", "settings").by_catalogs("findings_of_settings");

/// The topics of an installation, in the order of their findings. Each is asked in a transaction of
/// its own, so that one that takes too long stops no other, since the server counts time by
/// statement. A test compares the list with the function's.
pub(super) const TOPICS: &[Topic] = &[
    topic("migrations", "migrations").of_build(),
    topic("functions", "functions").by_catalogs("findings_of_functions").of_build(),
    topic("relations", "tables").by_catalogs("findings_of_relations"),
    topic("roles", "roles").by_catalogs("findings_of_roles"),
    topic("ticks", "the state of maintenance"),
    topic("holders", "who holds ticks back"),
    topic("steps", "steps of tick that fail"),
    topic("retention", "ranges of ids and retention"),
    topic("strays", "jobs without a lane"),
    topic("transactions", "open transactions").by_catalogs("doctor_transactions"),
    topic("queues", "queues"),
    topic("leases", "leases that end far ahead"),
    topic("limits", "limits"),
    topic("waiting", "what waits"),
    topic("suspects", "what waits to run alone"),
    SETTINGS,
    topic("space", "sizes of tables").by_catalogs("findings_of_space"),
    topic("age", "the age of transactions").by_catalogs("findings_of_age"),
];

/// Reads what a topic answered, by the positions of the columns, since a text that is sent instead
/// of a call does not name them.
pub(super) fn findings(rows: &[Row]) -> Result<Vec<Finding>> {
    rows.iter()
        .map(|row| {
            let level = Level::named(row.try_get(0)?).ok_or_else(|| {
                Error::schema_mismatch(
                    "the doctor in the database knows a level that this build does not",
                    "use a build of fairclaim as new as the one that migrated",
                )
            })?;
            let (name, seen): (String, String) = (row.try_get(1)?, row.try_get(2)?);
            Ok(Finding { level, name, seen, advice: row.try_get(3)? })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_topics_are_those_of_the_function_in_its_order() {
        let (_, body) =
            schema::bodies().find(|(name, _)| *name == "doctor_findings").expect("the function");
        let list = body.split("(values").nth(1).and_then(|rest| rest.split(" topics(").next());
        let told: Vec<&str> = list.expect("a list").split('\'').skip(1).step_by(2).collect();
        let known: Vec<&str> = TOPICS.iter().flat_map(|topic| [topic.name, topic.about]).collect();
        assert_eq!(told, known);
    }

    #[test]
    fn every_topic_of_catalogs_has_a_text_that_can_be_sent() {
        let topics = TOPICS.iter().filter(|topic| topic.catalogs.is_some());
        assert_eq!(topics.clone().filter(|topic| topic.text().is_some()).count(), 7);
        assert_eq!(topics.count(), 7);
    }
}
