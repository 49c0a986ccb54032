//! Says how each attempt ended, in one line: a sentence for people, and the job in fields. Payloads
//! and results are never logged; the message and the code of an error are the handler's own, and so
//! are its causes.
//!
//! A fleet whose every job fails must not drown in its log: of each second the first few failures
//! have a line each, and one line counts the rest.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::{sync::Notify, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::worker::{
    held::{
        hold::Hold,
        settlement::{Ending, Settlement},
    },
    log::{
        tenant_labels::TenantLabels,
        wording::{Listed, Span, one_line},
    },
    queue::refused::ALONE_MAX,
};

/// How many failures of one type have a line each in a second.
const OF_ONE_TYPE: u32 = 5;
/// How many failures of all types together have a line each in a second.
const OF_ALL: u32 = 50;
const SECOND: Duration = Duration::from_secs(1);
/// How many types the line names that counts the rest.
const TYPES_NAMED: usize = 5;
const MESSAGE_CHARACTERS_MAX: usize = 300;
/// How much of the causes of an error is logged. It is their end: there a command's stderr, or the
/// root of a chain, says why.
const CAUSE_LINES_MAX: usize = 10;
const CAUSE_BYTES_MAX: usize = 1000;
/// The database's own pause before another attempt: it doubles from the first to the longest.
const RETRY_FIRST: u32 = 15;
const RETRY_MAX: u32 = 3600;

/// Writes the lines of one worker, and counts those that it leaves out.
#[derive(Debug)]
pub(crate) struct AttemptLog {
    /// Whether the causes of an error are logged beside its message.
    causes: bool,
    quota: Mutex<Quota>,
    /// Notified when a line was left out.
    left_out: Notify,
    tenants: Arc<TenantLabels>,
}

/// Writes the line of a failure at a level of its own: what is left out stands at the debug level.
macro_rules! failure_line {
    ($level:ident, $log:expr, $hold:expr, $failure:expr) => {
        tracing::$level!(
            target: "fairclaim::worker",
            r#type = &*$hold.job_type,
            queue = &*$hold.queue,
            tenant = &*$log.tenants.of($hold.tenant),
            id = %$hold.id,
            attempt = $hold.attempt,
            code = $failure.code.as_deref(),
            next_try_in_seconds = $failure.next_try.map(rounded),
            ran_seconds = $hold.ran().map(rounded),
            causes = $failure.causes.as_deref(),
            "{}",
            $failure.sentence
        )
    };
}

/// Writes the line of an attempt that did not fail.
macro_rules! plain_line {
    ($log:expr, $hold:expr, $($sentence:tt)+) => {
        tracing::debug!(
            target: "fairclaim::worker",
            r#type = &*$hold.job_type,
            queue = &*$hold.queue,
            tenant = &*$log.tenants.of($hold.tenant),
            id = %$hold.id,
            attempt = $hold.attempt,
            ran_seconds = $hold.ran().map(rounded),
            $($sentence)+
        )
    };
}

impl AttemptLog {
    pub(crate) fn new(causes: bool, tenants: Arc<TenantLabels>) -> Self {
        Self { causes, quota: Mutex::default(), left_out: Notify::new(), tenants }
    }

    /// Says which jobs a claim took.
    pub(crate) fn claimed<'a>(&self, holds: impl Iterator<Item = &'a Hold> + Clone) {
        if tracing::enabled!(target: "fairclaim::worker", tracing::Level::WARN) {
            // so that the names are known when the attempts end
            self.tenants.want(holds.clone().map(|hold| hold.tenant));
        }
        for hold in holds {
            tracing::info!(
                target: "fairclaim::claim",
                id = %hold.id,
                r#type = &*hold.job_type,
                tenant = &*self.tenants.of(hold.tenant),
                queue = &*hold.queue,
                attempt = hold.attempt,
                "Claimed job"
            );
        }
    }

    /// Warns of something about a job whose attempt goes on or ends otherwise.
    pub(crate) fn warn(&self, hold: &Hold, words: impl fmt::Display) {
        tracing::warn!(
            target: "fairclaim::worker",
            r#type = &*hold.job_type,
            queue = &*hold.queue,
            tenant = &*self.tenants.of(hold.tenant),
            id = %hold.id,
            attempt = hold.attempt,
            "{words}"
        );
    }

    /// Says how an attempt ended: the database has accepted that, and this is the job's status now.
    pub(crate) fn ended(&self, settlement: &Settlement, status: &str) {
        let hold = &*settlement.hold;
        match &settlement.ending {
            Ending::Complete(_) if status == "completed" => self.completed(hold),
            Ending::Complete(_) => self.failed(hold, &Failure::unstorable(hold)),
            Ending::Snooze { delay } => plain_line!(self, hold, "snoozed for {}", Span(*delay)),
            Ending::Release => plain_line!(self, hold, "given back without an attempt used up"),
            Ending::Cancel { .. } => plain_line!(self, hold, "cancelled by its handler"),
            Ending::Retry { error, delay } => {
                let next = NextTry::after_retry(hold, *delay, status);
                self.failed(hold, &Failure::read(hold, error, &next, self.causes));
            }
            Ending::Fail { error } => {
                let failure = Failure::read(hold, error, &NextTry::FORBIDDEN, self.causes);
                self.failed(hold, &failure);
            }
        }
    }

    /// Says that a job is done, also where its handler's own transaction did that.
    pub(crate) fn completed(&self, hold: &Hold) {
        let ran = Span::of(hold.ran().unwrap_or_default());
        plain_line!(self, hold, "completed after {ran}");
    }

    /// Says that the lease ended before the attempt did.
    pub(crate) fn lost(&self, hold: &Hold, why: &str) {
        let sentence = format!("attempt {}: lease lost: {why}", hold.attempt);
        self.failed(hold, &Failure::coded(sentence, "lease_lost"));
    }

    /// Says that the lease will end before the attempt does.
    pub(crate) fn endangered(&self, hold: &Hold) {
        let sentence = format!(
            "attempt {} is told to stop: its lease is about to end, since no heartbeat was \
             accepted for long",
            hold.attempt
        );
        self.failed(hold, &Failure::coded(sentence, "lease_ends"));
    }

    /// Says that the database refuses to settle a job whose attempt has ended.
    pub(crate) fn refused(&self, hold: &Hold, sqlstate: &str) {
        let (attempt, longest) = (hold.attempt, Span::of(ALONE_MAX));
        let sentence = format!(
            "attempt {attempt} has ended, but the database refuses its settlement with SQLSTATE \
             {sqlstate}; that is repeated, with pauses of {longest} at most, and other jobs go on: \
             look in the server's log for the trigger or constraint that refuses it"
        );
        self.failed(hold, &Failure::coded(sentence, sqlstate));
    }

    fn failed(&self, hold: &Hold, failure: &Failure) {
        let now = Instant::now();
        let (admitted, past) = self.quota().admit(&hold.job_type, now);
        if let Some(past) = past {
            past.log();
        }
        if admitted {
            failure_line!(warn, self, hold, failure);
        } else {
            self.left_out.notify_one();
            failure_line!(debug, self, hold, failure);
        }
    }

    /// Counts what was left out and not counted yet.
    pub(crate) fn flush(&self) {
        let past = self.quota().take_past();
        if let Some(past) = past {
            past.log();
        }
    }

    /// Counts what was left out about a second later, though nothing else fails. Returns once
    /// `closing` is cancelled; the worker's end counts the last of it.
    pub(crate) async fn count_left_out(&self, closing: &CancellationToken) {
        let counting = async {
            loop {
                self.left_out.notified().await;
                sleep(SECOND).await;
                self.flush();
            }
        };
        closing.run_until_cancelled(counting).await;
    }

    fn quota(&self) -> MutexGuard<'_, Quota> {
        self.quota.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many lines of this second were written, and how many were left out.
#[derive(Debug, Default)]
struct Quota {
    began: Option<Instant>,
    written: HashMap<Arc<str>, u32>,
    left_out: BTreeMap<Arc<str>, u64>,
}

impl Quota {
    /// Whether one more failure of this type has a line, and what the second before has left out.
    fn admit(&mut self, job_type: &Arc<str>, now: Instant) -> (bool, Option<LeftOut>) {
        let mut past = None;
        if self.began.is_none_or(|began| now.saturating_duration_since(began) >= SECOND) {
            past = self.take_past();
            self.began = Some(now);
            self.written.clear();
        }
        let all: u32 = self.written.values().sum();
        let of_type = self.written.entry(Arc::clone(job_type)).or_default();
        let admitted = *of_type < OF_ONE_TYPE && all < OF_ALL;
        if admitted {
            *of_type += 1;
        } else {
            *self.left_out.entry(Arc::clone(job_type)).or_default() += 1;
        }
        (admitted, past)
    }

    fn take_past(&mut self) -> Option<LeftOut> {
        let left_out = std::mem::take(&mut self.left_out);
        (!left_out.is_empty()).then_some(LeftOut(left_out))
    }
}

/// How many failures of each type got no line.
#[derive(Debug)]
struct LeftOut(BTreeMap<Arc<str>, u64>);

impl LeftOut {
    fn log(&self) {
        let failures: u64 = self.0.values().sum();
        tracing::warn!(target: "fairclaim::worker", failures, "{}", self.sentence());
    }

    fn sentence(&self) -> String {
        let failures: u64 = self.0.values().sum();
        let mut types: Vec<_> = self.0.iter().collect();
        types.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let named = types.iter().map(|(name, count)| format!("{count} of type {name}"));
        format!(
            "{failures} more attempts failed within about a second, {}; at the debug level each \
             has its own line",
            Listed::of(named, TYPES_NAMED)
        )
    }
}

/// What a line says of an attempt that failed.
#[derive(Debug)]
struct Failure {
    sentence: String,
    code: Option<String>,
    causes: Option<String>,
    next_try: Option<Duration>,
}

/// An error as it is stored.
#[derive(Debug, Deserialize)]
struct Stored {
    code: Option<String>,
    message: Option<String>,
    trace: Option<String>,
}

impl Failure {
    fn read(hold: &Hold, error: &RawValue, next: &NextTry, causes: bool) -> Self {
        let stored: Stored = serde_json::from_str(error.get()).unwrap_or(Stored {
            code: None,
            message: None,
            trace: None,
        });
        let message = stored.message.unwrap_or_else(|| "its error cannot be read".to_owned());
        let sentence = format!(
            "{} failed: {}; {}",
            attempt_of(hold),
            one_line(&message, MESSAGE_CHARACTERS_MAX),
            next.words
        );
        let causes =
            stored.trace.as_deref().filter(|_| causes).map(|trace| end_of(trace).to_owned());
        Self { sentence, code: stored.code, causes, next_try: next.after }
    }

    fn coded(sentence: String, code: &str) -> Self {
        Self { sentence, code: Some(code.to_owned()), causes: None, next_try: None }
    }

    /// The work was done, and the database could not keep its result.
    fn unstorable(hold: &Hold) -> Self {
        let sentence = format!(
            "{} failed: the work was done, but the database cannot store its result; {}",
            attempt_of(hold),
            NextTry::FORBIDDEN.words
        );
        Self { sentence, code: Some("result_invalid".to_owned()), causes: None, next_try: None }
    }
}

/// What happens to the job of a failed attempt.
#[derive(Debug)]
struct NextTry {
    words: std::borrow::Cow<'static, str>,
    after: Option<Duration>,
}

impl NextTry {
    const FORBIDDEN: Self =
        Self { words: std::borrow::Cow::Borrowed("it is not tried again"), after: None };

    fn after_retry(hold: &Hold, delay: Option<f64>, status: &str) -> Self {
        match status {
            "failed" => Self { words: "no attempt is left".into(), after: None },
            "cancelled" => Self { words: "the job is cancelled, as was asked".into(), after: None },
            _ => {
                let about = if delay.is_none() { "about " } else { "" };
                let seconds = delay.unwrap_or_else(|| usual_pause(failures(hold)));
                Self {
                    words: format!("next try in {about}{}", Span(seconds)).into(),
                    after: Duration::try_from_secs_f64(seconds).ok(),
                }
            }
        }
    }
}

/// Seconds to the millisecond: no reader wants more digits.
fn rounded(span: Duration) -> f64 {
    (span.as_secs_f64() * 1000.0).round() / 1000.0
}

/// How many attempts of the job have failed, this one included.
fn failures(hold: &Hold) -> i32 {
    hold.max_attempts - hold.attempts_left + 1
}

/// Names the attempt. Those that used none up (snoozed, given back, lost) count in the number, and
/// not among those that may fail.
fn attempt_of(hold: &Hold) -> String {
    let (attempt, failures, most) = (hold.attempt, failures(hold), hold.max_attempts);
    if attempt == failures {
        format!("attempt {attempt} of {most}")
    } else {
        format!("attempt {attempt} (failure {failures} of {most})")
    }
}

/// The pause that the database computes after so many failures, which it moves by up to a fifth.
fn usual_pause(failures: i32) -> f64 {
    let doublings = u32::try_from(failures - 1).unwrap_or(0).min(20);
    f64::from((RETRY_FIRST << doublings).min(RETRY_MAX))
}

/// The last lines of a text, at most so many and so long.
fn end_of(text: &str) -> &str {
    let text = text.trim_end();
    let lines = text.rmatch_indices('\n').nth(CAUSE_LINES_MAX - 1).map_or(0, |(at, _)| at + 1);
    let mut from = lines.max(text.len().saturating_sub(CAUSE_BYTES_MAX));
    while !text.is_char_boundary(from) {
        from += 1;
    }
    &text[from..]
}

#[cfg(test)]
mod tests;
