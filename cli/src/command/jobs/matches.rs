//! What a filter matches, in the words of the question that is asked before many jobs are changed.

use std::collections::BTreeSet;

use fairclaim::{Client, Count, JobFilter, JobRow, Status};

use super::action::{Action, jobs};

/// How many jobs of a status are looked at for the names in the question, the newest first.
const LOOKED_AT: i32 = 1000;
/// How many names are said.
const NAMES: usize = 3;

/// Asks like this: `retry 12 failed jobs of types a, b in queue mail?`
pub(super) async fn question(
    client: &Client,
    action: Action,
    filter: &JobFilter,
    count: Count,
) -> anyhow::Result<String> {
    let statuses: &[Status] = match (filter.status, action) {
        (Some(status), _) => &[status],
        (None, Action::Cancel) => &[Status::Scheduled, Status::Pending, Status::Processing],
        (None, Action::Retry) => &[Status::Failed],
        (None, Action::Delete) => &[Status::Completed, Status::Failed, Status::Cancelled],
    };
    let mut seen = Seen::default();
    for status in statuses {
        let page = client.jobs(&filter.clone().status(*status).limit(LOOKED_AT)).await?;
        seen.not_all |= page.next.is_some();
        page.jobs.iter().for_each(|job| seen.add(job));
    }
    Ok(seen.question(action, count))
}

/// The names that some of the jobs have.
#[derive(Debug, Default)]
struct Seen {
    statuses: BTreeSet<&'static str>,
    types: BTreeSet<String>,
    queues: BTreeSet<String>,
    tenants: BTreeSet<String>,
    /// Whether there are more jobs than these.
    not_all: bool,
}

impl Seen {
    fn add(&mut self, job: &JobRow) {
        self.statuses.insert(match job.status {
            Status::Processing => "running",
            other => other.as_str(),
        });
        self.types.insert(job.job_type.clone());
        self.queues.insert(job.queue.clone());
        self.tenants.insert(job.tenant.clone().unwrap_or_else(|| job.tenant_id.to_string()));
    }

    fn question(&self, action: Action, count: Count) -> String {
        let all = jobs(count);
        let (number, noun) = all.rsplit_once(' ').unwrap_or((&all, "jobs"));
        let statuses = self.statuses.iter().copied().collect::<Vec<_>>().join(" or ");
        let statuses = if statuses.is_empty() { statuses } else { format!("{statuses} ") };
        let mut text = format!("{} {number} {statuses}{noun}", action.word());
        if self.not_all {
            text.push_str(", the newest");
        }
        for (before, word, names) in [("of", "type", &self.types), ("in", "queue", &self.queues)] {
            if !names.is_empty() {
                text.push_str(&format!(" {before} {}", named(word, names)));
            }
        }
        match self.tenants.len() {
            0 => {}
            1 if !self.not_all => text.push_str(", all of one tenant"),
            tenants => {
                let least = if self.not_all { "at least " } else { "" };
                text.push_str(&format!(", of {least}{tenants} tenants"));
            }
        }
        text.push('?');
        text
    }
}

/// Lists names like this: `type a`, `types a, b, c and others`.
fn named(word: &str, names: &BTreeSet<String>) -> String {
    let ending = if names.len() == 1 { "" } else { "s" };
    let others = if names.len() > NAMES { " and others" } else { "" };
    let said: Vec<&str> = names.iter().take(NAMES).map(String::as_str).collect();
    format!("{word}{ending} {}{others}", said.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn the_question_names_what_matches() {
        let mut seen = Seen {
            statuses: BTreeSet::from(["failed"]),
            types: names(&["a", "b"]),
            queues: names(&["mail"]),
            tenants: names(&["acme"]),
            not_all: false,
        };
        let count = |jobs, more| Count { jobs, more };
        assert_eq!(
            seen.question(Action::Retry, count(12, false)),
            "retry 12 failed jobs of types a, b in queue mail, all of one tenant?"
        );
        seen.types = names(&["a"]);
        assert_eq!(
            seen.question(Action::Delete, count(1, false)),
            "delete 1 failed job of type a in queue mail, all of one tenant?"
        );
        seen.types = names(&["a", "b", "c", "d"]);
        seen.statuses = BTreeSet::from(["pending", "running"]);
        seen.tenants = names(&["acme", "bolt"]);
        seen.not_all = true;
        assert_eq!(
            seen.question(Action::Cancel, count(100_000, true)),
            "cancel more than 100,000 pending or running jobs, the newest of types a, b, c and others in queue mail, \
             of at least 2 tenants?"
        );
    }
}
