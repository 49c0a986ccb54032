//! A job as a story: what it is, what happened to it in which order, what comes next, and what it
//! was given. Everything is bounded, so that a chatty command or a large payload does not push the
//! rest off the screen.

use std::time::{Duration, SystemTime};

use anstyle::Style;
use fairclaim::{JobRow, Status};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::color;
use crate::output::printable;
use crate::value::second_text as moment;
use crate::words::{counted, cut, span};

mod document;

/// How many lines of a message, of a trace, and of a document are shown.
const MESSAGE_LINES: usize = 5;
const TRACE_LINES: usize = 15;
const DOCUMENT_LINES: usize = 30;
/// How many attempts are told at the beginning and at the end, when there are many.
const ATTEMPTS_FIRST: usize = 3;
const ATTEMPTS_LAST: usize = 10;
/// How wide a line is where nothing else says so: enough for any text, and no megabyte in one line.
const WIDTH: usize = 500;

/// Renders the whole page.
pub(super) fn of(job: &JobRow, width: Option<usize>) -> String {
    let mut page = Page { lines: Vec::new(), width: width.unwrap_or(WIDTH) };
    page.facts(job);
    page.add("");
    page.history(job);
    page.documents(job);
    page.lines.join("\n")
}

/// The lines so far.
struct Page {
    lines: Vec<String>,
    width: usize,
}

impl Page {
    fn add(&mut self, line: impl AsRef<str>) {
        let line = cut(&printable(line.as_ref()), self.width);
        self.lines.push(line.trim_end().to_owned());
    }

    /// Adds the first lines of a text, indented, and how many more there are.
    fn block(&mut self, indent: usize, text: &str, most: usize) {
        let indent = " ".repeat(indent);
        let mut lines = text.trim_end().lines();
        for line in lines.by_ref().take(most) {
            self.add(format!("{indent}{}", line.replace('\t', "    ")));
        }
        let left = lines.count() as u64;
        if left > 0 {
            self.add(format!("{indent}… {}; --json has all of them", counted(left, "more line")));
        }
    }

    fn facts(&mut self, job: &JobRow) {
        let status = job.status.as_str();
        let style = color::of_status(job.status);
        if color::on_stdout() && style != Style::new() {
            self.lines.push(format!("job {}  {style}{status}{style:#}", job.id));
        } else {
            self.add(format!("job {}  {status}", job.id));
        }
        let facts = [
            ("type", Some(job.job_type.clone())),
            ("queue", Some(job.queue.clone())),
            ("tenant", Some(tenant(job))),
            ("priority", (job.priority != 0).then(|| job.priority.to_string())),
            ("attempts", Some(attempts(job))),
            ("time-out", job.timeout.map(|timeout| format!("{timeout:?} for each attempt"))),
            ("tags", (!job.tags.is_empty()).then(|| job.tags.join(" "))),
        ];
        for (name, fact) in facts {
            if let Some(fact) = fact {
                self.add(format!("  {name:9} {fact}"));
            }
        }
    }

    fn history(&mut self, job: &JobRow) {
        let wish = match job.run_at {
            Some(at) if at > job.created_at => format!("dispatched, to run at {}", moment(at)),
            _ => "dispatched, to run at once".to_owned(),
        };
        self.add(format!("{}  {wish}", moment(job.created_at)));
        let none = Vec::new();
        let errors = job.errors.as_ref().and_then(Value::as_array).unwrap_or(&none);
        let hidden = errors.len().saturating_sub(ATTEMPTS_FIRST + ATTEMPTS_LAST);
        let mut told = Told { attempt: 0, at: job.created_at };
        for (n, error) in errors.iter().enumerate() {
            if hidden > 0 && n == ATTEMPTS_FIRST {
                let more = counted(hidden as u64, "more attempt");
                self.add(format!("… {more} with an error; --json has all of them"));
            }
            if hidden > 0 && (ATTEMPTS_FIRST..ATTEMPTS_FIRST + hidden).contains(&n) {
                told.attempt = number(error);
            } else {
                self.attempt(error, &mut told);
            }
        }
        self.next(job, &told);
    }

    /// Tells of one attempt that left an error.
    fn attempt(&mut self, entry: &Value, told: &mut Told) {
        let attempt = number(entry);
        self.silent(told.attempt + 1, attempt - 1);
        let at = entry["at"].as_str().and_then(|at| at.parse::<jiff::Timestamp>().ok());
        let at = at.map_or(told.at, SystemTime::from);
        let error = &entry["error"];
        let code = error["code"].as_str();
        let ended = error["ended_as"].as_str();
        let what = match (code, ended) {
            (Some("lost"), _) => format!("attempt {attempt} was lost"),
            (Some(code), _) => format!("attempt {attempt} failed: {code}"),
            (None, Some("completed")) => format!("attempt {attempt} completed"),
            (None, Some("cancelled")) => "cancelled".to_owned(),
            (None, _) => format!("attempt {attempt} failed"),
        };
        let later = later(told.at, at, entry["worker_id"].as_str());
        self.add(format!("{}  {what} {later}", moment(at)));
        self.texts(error);
        if let Some(ended) = ended {
            self.add(format!("{:20}  it had ended as {ended}, and an operator ran it again", ""));
        }
        *told = Told { attempt, at };
    }

    fn texts(&mut self, error: &Value) {
        if let Some(message) = error["message"].as_str() {
            self.block(4, message, MESSAGE_LINES);
        }
        if let Some(trace) = error["trace"].as_str() {
            self.block(6, trace, TRACE_LINES);
        }
    }

    /// Tells of attempts that ended without an error.
    fn silent(&mut self, from: i64, to: i64) {
        let which = match to - from {
            ..0 => return,
            0 => format!("attempt {from}"),
            _ => format!("attempts {from} to {to}"),
        };
        self.add(format!("{:20}  {which} left no error: snoozed or given back", ""));
    }

    /// Tells of the end, or what comes next.
    fn next(&mut self, job: &JobRow, told: &Told) {
        let attempts = i64::from(job.attempts);
        let now = moment(job.read_at);
        let last_is_silent = match job.status {
            Status::Processing | Status::Completed => attempts - 1,
            // its worker stopped it
            Status::Cancelled if job.worker_id.is_some() => attempts - 1,
            _ => attempts,
        };
        self.silent(told.attempt + 1, last_is_silent);
        let on = job.worker_id.as_ref().map(|worker| format!(" on {worker}")).unwrap_or_default();
        let (at, what) = match job.status {
            Status::Pending => (now, "it is due, and waits for a worker".to_owned()),
            Status::Processing => {
                let lease = job.lease_expires_at.map(moment);
                let lease =
                    lease.map(|at| format!(", whose lease ends at {at}")).unwrap_or_default();
                let asked = if job.cancel_requested { "; it was asked to stop" } else { "" };
                (now, format!("attempt {attempts} runs{on}{lease}{asked}"))
            }
            Status::Scheduled => {
                let at = job.next_retry_at.unwrap_or(job.read_at);
                let wait = span(since(job.read_at, at));
                (moment(at), format!("attempt {} is due, in {wait}", attempts + 1))
            }
            status => {
                let at = job.completed_at.unwrap_or(job.read_at);
                let what = match status {
                    Status::Completed => {
                        let later = later(told.at, at, job.worker_id.as_deref());
                        format!("attempt {attempts} completed {later}")
                    }
                    status => {
                        let after = span(since(job.created_at, at));
                        format!("ended as {status} ({after} after the dispatch)")
                    }
                };
                (moment(at), what)
            }
        };
        self.add(format!("{at}  {what}"));
        // the error of the last attempt is told already
        if job.status.is_final()
            && told.attempt < attempts
            && let Some(error) = &job.error
        {
            if let Some(code) = error["code"].as_str() {
                self.add(format!("    {code}"));
            }
            self.texts(error);
        }
        if matches!(job.status, Status::Failed | Status::Cancelled) {
            self.add(format!("run it again: fairclaim jobs retry {}", job.id));
        }
    }

    fn documents(&mut self, job: &JobRow) {
        let documents = [
            ("payload", &job.exact.payload),
            ("metadata", &job.exact.metadata),
            ("result", &job.exact.result),
        ];
        for (name, document) in documents {
            let text = document.as_deref().map(RawValue::get).filter(|text| !is_empty(text));
            if let Some(text) = text {
                self.add("");
                self.add(name);
                self.block(2, &document::indented(text), DOCUMENT_LINES);
            }
        }
        if job.exact.payload.is_none() {
            self.add("");
            self.add("Payload, result and texts of errors are for logins with fairclaim_auditor.");
        }
    }
}

/// Says how long after the line before, and where.
fn later(before: SystemTime, at: SystemTime, worker: Option<&str>) -> String {
    let on = worker.map(|worker| format!(", on {worker}")).unwrap_or_default();
    format!("({} later{on})", span(since(before, at)))
}

/// Up to which attempt the story is told, and when that ended.
struct Told {
    attempt: i64,
    at: SystemTime,
}

fn number(entry: &Value) -> i64 {
    entry["attempt"].as_i64().unwrap_or_default()
}

fn is_empty(document: &str) -> bool {
    matches!(document, "null" | "{}")
}

fn since(earlier: SystemTime, later: SystemTime) -> Duration {
    later.duration_since(earlier).unwrap_or_default()
}

/// Says what the tenant is called, with its id.
fn tenant(job: &JobRow) -> String {
    match &job.tenant {
        Some(name) => format!("{name} ({})", job.tenant_id),
        None => job.tenant_id.to_string(),
    }
}

fn attempts(job: &JobRow) -> String {
    let lost = match job.lost {
        None | Some(0) => String::new(),
        Some(lost) => {
            format!("; {} died with it", counted(u64::from(lost.unsigned_abs()), "worker"))
        }
    };
    match job.attempts_left {
        Some(left) => {
            format!("{} so far; {left} of {} may still fail{lost}", job.attempts, job.max_attempts)
        }
        None => format!("{} made, {} allowed to fail", job.attempts, job.max_attempts),
    }
}

#[cfg(test)]
mod tests;
