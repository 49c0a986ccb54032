//! What the log says of jobs that wait and are not for this worker, and of queues that are paused
//! or that no worker knows (`tasks/explain_idle.rs` asks).

use tokio_postgres::Row;

use crate::{
    error::Result,
    worker::log::wording::{Listed, Span, jobs},
};

/// How many names a sentence holds.
const NAMED_MAX: usize = 5;

/// One row of `why_idle`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reason {
    kind: String,
    queue: String,
    job_type: Option<String>,
    jobs: i64,
    at_least: bool,
    due_in: Option<f64>,
    /// Whether a worker that lives handles the type; none where that was not asked.
    handled_elsewhere: Option<bool>,
}

impl Reason {
    pub(crate) fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            kind: row.try_get("reason")?,
            queue: row.try_get("queue")?,
            job_type: row.try_get("type")?,
            jobs: row.try_get("jobs")?,
            at_least: row.try_get("at_least")?,
            due_in: row.try_get("due_in")?,
            handled_elsewhere: row.try_get("handled_elsewhere")?,
        })
    }

    pub(crate) fn holds_jobs(&self) -> bool {
        self.jobs > 0
    }
}

/// A line of the log.
#[derive(Debug, PartialEq)]
pub(crate) struct Line {
    /// Whether a person has to do something; else it is good to know.
    urgent: bool,
    queue: String,
    sentence: String,
}

impl Line {
    pub(crate) fn log(&self) {
        let (queue, sentence) = (&*self.queue, &*self.sentence);
        if self.urgent {
            tracing::warn!(target: "fairclaim::worker", queue, "{sentence}");
        } else {
            tracing::info!(target: "fairclaim::worker", queue, "{sentence}");
        }
    }
}

/// Writes at most one sentence for each queue and reason.
pub(crate) fn sentences(reasons: &[Reason], at_end: bool) -> Vec<Line> {
    let in_use: Vec<&str> = of("in_use", reasons).map(|reason| &*reason.queue).collect();
    let mut lines = Vec::new();
    for reason in of("paused", reasons) {
        let waiting = match reason.jobs {
            0 => String::new(),
            waiting => format!(": {} in it must wait", jobs(waiting, reason.at_least)),
        };
        let queue = &reason.queue;
        lines.push(Line {
            urgent: true,
            queue: queue.clone(),
            sentence: format!(
                "queue {queue} is paused{waiting}; `fairclaim queues resume {queue}` lets it go on"
            ),
        });
    }
    lines.extend(grouped("unhandled", reasons).map(|group| {
        let Group { queue, jobs, types, nobody, .. } = &group;
        let nobody = if *nobody { ", and no other worker that is known has one" } else { "" };
        let sentence = format!(
            "{jobs} of {types} in queue {queue}: this worker has no handler for that{nobody}"
        );
        Line { urgent: at_end, queue: queue.clone(), sentence }
    }));
    if at_end {
        lines.extend(grouped("waiting", reasons).map(|group| {
            let Group { queue, jobs, types, .. } = &group;
            let sentence = format!(
                "{jobs} of {types} in queue {queue} wait all the same: for a limit of their \
                 tenant, to run alone, or since a moment ago"
            );
            Line { urgent: false, queue: queue.clone(), sentence }
        }));
        lines.extend(grouped("key", reasons).map(|group| {
            let Group { queue, jobs, types, .. } = &group;
            let sentence = format!(
                "{jobs} of {types} in queue {queue} wait until other jobs of their keys have ended"
            );
            Line { urgent: false, queue: queue.clone(), sentence }
        }));
        lines.extend(grouped("scheduled", reasons).map(|group| {
            let Group { queue, jobs, types, first, .. } = &group;
            let sentence = format!(
                "{jobs} of {types} in queue {queue} will be due later, the first in {}",
                Span(*first)
            );
            Line { urgent: false, queue: queue.clone(), sentence }
        }));
    }
    lines.extend(of("unseen", reasons).map(|reason| unseen(&reason.queue, &in_use)));
    lines
}

fn of<'a>(wanted: &'a str, reasons: &'a [Reason]) -> impl Iterator<Item = &'a Reason> {
    reasons.iter().filter(move |reason| reason.kind == wanted)
}

/// The rows of one reason and one queue, together.
struct Group {
    queue: String,
    jobs: String,
    types: String,
    /// When the first of them is due.
    first: f64,
    /// Whether no worker handles any of these types.
    nobody: bool,
}

fn grouped<'a>(wanted: &'a str, reasons: &'a [Reason]) -> impl Iterator<Item = Group> {
    let rows: Vec<&Reason> = of(wanted, reasons).collect();
    let groups: Vec<Group> = rows
        .chunk_by(|one, other| one.queue == other.queue)
        .map(|rows| {
            let types = rows.iter().filter_map(|row| row.job_type.as_deref());
            let word = if rows.len() == 1 { "type" } else { "types" };
            Group {
                queue: rows[0].queue.clone(),
                jobs: jobs(
                    rows.iter().map(|row| row.jobs).sum(),
                    rows.iter().any(|row| row.at_least),
                ),
                types: format!("{word} {}", Listed::of(types, NAMED_MAX)),
                first: rows.iter().filter_map(|row| row.due_in).fold(f64::INFINITY, f64::min),
                nobody: rows.iter().all(|row| row.handled_elsewhere == Some(false)),
            }
        })
        .collect();
    groups.into_iter()
}

/// Compares a queue that is not in use with those that are: a queue exists by use, so a misspelt
/// name is a name that is not in use.
fn unseen(queue: &str, in_use: &[&str]) -> Line {
    let close: Vec<&&str> = in_use.iter().filter(|other| is_close(queue, other)).collect();
    let nothing = format!("no job waits in queue {queue}, or has within the last hour");
    let sentence = if close.is_empty() {
        nothing
    } else {
        format!("{nothing}: is it {} that is meant?", Listed::of(close.iter(), NAMED_MAX))
    };
    Line { urgent: !close.is_empty(), queue: queue.to_owned(), sentence }
}

/// Whether one name may be the other one misspelt: a few letters, but not most of them, are wrong,
/// missing, too much or swapped.
fn is_close(name: &str, other: &str) -> bool {
    let most = (name.len().min(other.len()) / 3).clamp(1, 2);
    misspellings(name.as_bytes(), other.as_bytes()) <= most
}

/// The least number of letters to change, add, leave out, or swap with their neighbour. Names have
/// 64 characters of ASCII at most.
fn misspellings(name: &[u8], other: &[u8]) -> usize {
    let mut rows: Vec<Vec<usize>> = vec![(0..=other.len()).collect()];
    for (i, letter) in name.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, wanted) in other.iter().enumerate() {
            let changed = rows[i][j] + usize::from(letter != wanted);
            let mut best = changed.min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *letter == other[j - 1] && name[i - 1] == *wanted {
                best = best.min(rows[i - 1][j - 1] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[name.len()][other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(reason: &str, queue: &str, job_type: &str, jobs: i64) -> Reason {
        Reason {
            kind: reason.to_owned(),
            queue: queue.to_owned(),
            job_type: (!job_type.is_empty()).then(|| job_type.to_owned()),
            jobs,
            at_least: jobs >= 1000,
            due_in: (reason == "scheduled").then_some(14.2),
            handled_elsewhere: (reason == "unhandled").then_some(job_type != "a"),
        }
    }

    fn said(reasons: &[Reason], at_end: bool) -> Vec<String> {
        sentences(reasons, at_end).into_iter().map(|line| line.sentence).collect()
    }

    #[test]
    fn what_waits_for_other_workers_is_told_with_its_types() {
        let reasons = [
            reason("unhandled", "default", "a", 5),
            reason("unhandled", "default", "b", 1),
            reason("unhandled", "mail", "c", 1),
            reason("unhandled", "nobody", "a", 2),
        ];
        assert_eq!(
            said(&reasons, false),
            [
                "6 jobs of types a and b in queue default: this worker has no handler for that",
                "1 job of type c in queue mail: this worker has no handler for that",
                "2 jobs of type a in queue nobody: this worker has no handler for that, and no \
                 other worker that is known has one"
            ]
        );
    }

    #[test]
    fn a_paused_queue_is_told_with_what_to_do() {
        assert_eq!(
            said(&[reason("paused", "mail", "", 7)], false),
            ["queue mail is paused: 7 jobs in it must wait; `fairclaim queues resume mail` \
                 lets it go on"]
        );
        let empty = said(&[reason("paused", "mail", "", 0)], false);
        assert!(empty[0].starts_with("queue mail is paused; "), "{empty:?}");
    }

    #[test]
    fn what_waits_for_its_time_is_told_at_the_end_only() {
        let reasons = [
            reason("waiting", "default", "a", 1000),
            reason("key", "default", "a", 3),
            reason("scheduled", "default", "a", 2),
        ];
        assert_eq!(said(&reasons, false), Vec::<String>::new());
        let said = said(&reasons, true);
        assert!(
            said[0].starts_with("at least 1000 jobs of type a in queue default wait all the same")
        );
        assert_eq!(
            said[1],
            "3 jobs of type a in queue default wait until other jobs of their keys have ended"
        );
        assert_eq!(
            said[2],
            "2 jobs of type a in queue default will be due later, the first in 14 s"
        );
    }

    #[test]
    fn a_queue_that_is_not_in_use_is_compared_with_those_in_use() {
        let reasons = [
            reason("unseen", "defualt", "", 0),
            reason("unseen", "reports", "", 0),
            reason("in_use", "default", "", 0),
            reason("in_use", "mail", "", 0),
        ];
        let lines = sentences(&reasons, true);
        assert_eq!(
            lines[0].sentence,
            "no job waits in queue defualt, or has within the last hour: is it default that is \
             meant?"
        );
        assert_eq!(lines[1].sentence, "no job waits in queue reports, or has within the last hour");
        assert_eq!((lines[0].urgent, lines[1].urgent), (true, false));
    }

    #[test]
    fn names_are_close_by_their_misspelt_letters() {
        for (name, other) in
            [("defualt", "default"), ("mial", "mail"), ("report", "reports"), ("eu:mal", "eu:mail")]
        {
            assert!(is_close(name, other), "{name} and {other}");
        }
        for (name, other) in [("mail", "bill"), ("a", "bc"), ("default", "reports"), ("", "mail")] {
            assert!(!is_close(name, other), "{name} and {other}");
        }
    }
}
