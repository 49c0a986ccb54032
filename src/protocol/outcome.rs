//! The ends of an attempt, as values that a handler returns.

use std::{error::Error as StdError, fmt, time::Duration};

use serde::Serialize;
use serde_json::{Value, json, value::RawValue};
use tokio_postgres::error::DbError;
use uuid::Uuid;

use crate::{error::Error, protocol::json};

/// How much a settlement keeps of an error, as JSON text. The database cuts at the same length.
const ERROR_BYTES_MAX: usize = 16 * 1024;
const MESSAGE_BYTES_MAX: usize = 4 * 1024;
const CODE_BYTES_MAX: usize = 64;
/// How many errors of a chain are kept.
const CAUSES_MAX: usize = 32;

/// What a handler that did not fail wants to happen with its job.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Outcome {
    /// The job is done.
    Complete,
    /// The job is done, and this is kept as its result (at most 1 MiB of JSON). A [`Value`] rounds
    /// numbers to 64 bits; use [`Outcome::complete_with`] or [`Outcome::CompleteWithRaw`] where a
    /// number needs more digits.
    CompleteWith(Value),
    /// The job is done, and its result is JSON text already, of which every digit is kept.
    CompleteWithRaw(Box<RawValue>),
    /// Runs the job again after this time, at least 100 ms. It uses no attempt up.
    Snooze(Duration),
    /// Gives the job back unfinished, because the attempt was told to stop. It uses no attempt up.
    /// A job that a worker gives back again and again is put off for longer every time.
    Release,
    /// Ends the job as cancelled, for this reason.
    Cancel(String),
    /// `Attempt::complete_in` has settled it in the handler's own transaction.
    Settled(Settled),
}

impl Outcome {
    /// Says that the job is done, and keeps this as its result with every digit: also of an `i128`,
    /// or of a decimal that writes itself as a number.
    ///
    /// # Errors
    /// A value that cannot be written as JSON, or that holds what the database cannot store, fails
    /// the job for good.
    pub fn complete_with<T: Serialize + ?Sized>(result: &T) -> Result<Self, JobError> {
        json::to_raw("result", result)
            .map(Self::CompleteWithRaw)
            .map_err(|error| JobError::bad_result(&error))
    }
}

/// Compares raw results by their texts.
impl PartialEq for Outcome {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Complete, Self::Complete) | (Self::Release, Self::Release) => true,
            (Self::CompleteWith(one), Self::CompleteWith(other)) => one == other,
            (Self::CompleteWithRaw(one), Self::CompleteWithRaw(other)) => one.get() == other.get(),
            (Self::Snooze(one), Self::Snooze(other)) => one == other,
            (Self::Cancel(one), Self::Cancel(other)) => one == other,
            (Self::Settled(one), Self::Settled(other)) => one == other,
            _ => false,
        }
    }
}

impl From<()> for Outcome {
    fn from((): ()) -> Self {
        Self::Complete
    }
}

impl From<Settled> for Outcome {
    fn from(settled: Settled) -> Self {
        Self::Settled(settled)
    }
}

/// The proof that this attempt was settled already; only `Attempt::complete_in` makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled {
    id: Uuid,
    attempt: i32,
}

impl Settled {
    /// Makes the proof, once the database has accepted the settlement.
    pub(crate) fn new(id: Uuid, attempt: i32) -> Self {
        Self { id, attempt }
    }

    /// Names the job that was settled.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// Gives the number of the attempt that was settled.
    pub fn attempt(&self) -> i32 {
        self.attempt
    }
}

/// What becomes of a job whose attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Next {
    /// It gets another attempt, after this time or after the time that the database computes. It
    /// fails when none is left.
    Retry(Option<Duration>),
    /// It has failed for good.
    Fail,
    /// It goes back to the queue and no attempt is used up, since the worker is to blame and not
    /// the job.
    Release,
}

/// Why an attempt failed, and whether another one may help.
///
/// Any error becomes a `JobError` that asks for a retry, so `?` does what one would expect. For
/// that reason it is no `std::error::Error` itself, like `anyhow::Error`. Its texts are stored and
/// shown to operators, so keep payloads out of them. Of a PostgreSQL error in the chain only
/// severity and message are kept, since its DETAIL quotes rows.
///
/// ```
/// use fairclaim::JobError;
///
/// fn parse(text: &str) -> Result<u32, JobError> {
///     if text.is_empty() {
///         return Err(JobError::fail("there is nothing to parse").code("empty"));
///     }
///     Ok(text.parse::<u32>()?)
/// }
/// # assert!(parse("").is_err() && parse("x").is_err() && parse("7").is_ok());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct JobError {
    next: Next,
    code: Option<String>,
    message: String,
    trace: Option<String>,
}

impl JobError {
    /// Asks for another attempt later. The database says when: after 15 s, 30 s, 1 min … up to an
    /// hour, ± 20 %.
    pub fn retry(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::of(error.into().as_ref(), Next::Retry(None))
    }

    /// Asks for another attempt after this time.
    pub fn retry_after(error: impl Into<Box<dyn StdError + Send + Sync>>, delay: Duration) -> Self {
        Self::of(error.into().as_ref(), Next::Retry(Some(delay)))
    }

    /// Fails the job, since no other attempt would help.
    pub fn fail(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::of(error.into().as_ref(), Next::Fail)
    }

    /// Says that the worker is short of its own means (files, memory, processes, a licence), and
    /// that the job may be fine. The job goes back to the queue and no attempt is used up. This
    /// worker claims fewer jobs of that queue for a while, and says so in its log.
    pub fn short_of_means(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::of(error.into().as_ref(), Next::Release)
    }

    /// Says that the work is done, but that its result cannot be stored. The database gives such a
    /// job the same code.
    pub(crate) fn bad_result(error: &Error) -> Self {
        Self::fail(format!("the work was done, but {error}")).code("result_invalid")
    }

    /// Names the kind of error, for operators to filter by (at most 64 bytes).
    #[must_use]
    pub fn code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(clean(&code.into(), CODE_BYTES_MAX));
        self
    }

    /// Says what becomes of the job.
    pub fn next(&self) -> Next {
        self.next
    }

    /// Gives what the error says.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Gives what is stored: `{code, message, trace}`, at most 16 KiB of text.
    pub fn to_json(&self) -> Value {
        let mut object = serde_json::Map::new();
        if let Some(code) = &self.code {
            object.insert("code".into(), json!(code));
        }
        object.insert("message".into(), json!(self.message));
        if let Some(trace) = &self.trace {
            let used = Value::Object(object.clone()).to_string().len() + ",\"trace\":".len();
            object.insert(
                "trace".into(),
                json!(cut_as_json(trace, ERROR_BYTES_MAX.saturating_sub(used))),
            );
        }
        Value::Object(object)
    }

    fn of(error: &(dyn StdError + 'static), next: Next) -> Self {
        let chain: Vec<_> =
            std::iter::successors(Some(error), |&error| error.source()).take(CAUSES_MAX).collect();
        let said_by_server: Vec<&DbError> =
            chain.iter().filter_map(|error| error.downcast_ref()).collect();
        let mut texts = chain.iter().map(|error| without_detail(error, &said_by_server));
        let message = clean(&texts.next().unwrap_or_default(), MESSAGE_BYTES_MAX);
        let causes: Vec<String> = texts.collect();
        let trace =
            (!causes.is_empty()).then(|| clean(&causes.join("\ncaused by: "), ERROR_BYTES_MAX));
        Self { next, code: None, message, trace }
    }
}

/// Gives an error's text without the rows that a server error below it quotes in its DETAIL. The
/// driver and those who wrap its errors repeat that DETAIL in their own texts.
fn without_detail(error: &&(dyn StdError + 'static), said_by_server: &[&DbError]) -> String {
    said_by_server.iter().fold(error.to_string(), |text, server| {
        let said = format!("{}: {}", server.severity(), server.message());
        text.replace(&server.to_string(), &said)
    })
}

impl<E: StdError + 'static> From<E> for JobError {
    fn from(error: E) -> Self {
        Self::of(&error, Next::Retry(None))
    }
}

impl fmt::Display for JobError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl fmt::Debug for JobError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = formatter.debug_struct("JobError");
        debug.field("next", &self.next).field("code", &self.code).field("message", &self.message);
        debug.field("trace", &self.trace).finish()
    }
}

/// Cuts a text to this many bytes of JSON, and replaces the NUL, which the database cannot store:
/// one such text would spoil a whole call of settlements.
fn clean(text: &str, bytes_max: usize) -> String {
    cut_as_json(&text.replace('\0', "\u{fffd}"), bytes_max + 2).to_owned()
}

/// Cuts a text so that it takes at most this many bytes as a JSON string, quotes and escapes
/// included.
fn cut_as_json(text: &str, bytes_max: usize) -> &str {
    let mut left = bytes_max.saturating_sub(2);
    for (at, character) in text.char_indices() {
        let bytes = match character {
            '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
            '\0'..='\u{1f}' => 6,
            other => other.len_utf8(),
        };
        if bytes > left {
            return &text[..at];
        }
        left -= bytes;
    }
    text
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio_postgres::NoTls;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn any_error_asks_for_a_retry_and_keeps_its_causes() {
        let error: JobError = Outer(std::io::Error::other("inner")).into();
        assert_eq!(error.next(), Next::Retry(None));
        assert_eq!(error.to_json(), json!({"message": "outer", "trace": "inner"}));
    }

    /// A wrapper that repeats what the server said.
    #[derive(Debug, thiserror::Error)]
    #[error("cannot bill: {}", .0.as_db_error().map(ToString::to_string).unwrap_or_default())]
    struct Billing(#[source] tokio_postgres::Error);

    async fn server_error() -> tokio_postgres::Error {
        let (ours, mut server) = tokio::io::duplex(4096);
        let fields =
            b"SERROR\0VERROR\0C23514\0Mit is refused\0DFailing row contains (secret).\0Htry\0\0";
        server.write_u8(b'E').await.unwrap();
        server.write_u32(4 + u32::try_from(fields.len()).unwrap()).await.unwrap();
        server.write_all(fields).await.unwrap();
        let connected = tokio_postgres::Config::new().user("u").connect_raw(ours, NoTls).await;
        connected.err().expect("refused")
    }

    #[tokio::test]
    async fn of_a_server_error_neither_detail_nor_hint_is_kept() {
        let plain = JobError::from(server_error().await).to_json();
        assert_eq!(plain, json!({"message": "db error", "trace": "ERROR: it is refused"}));
        let wrapped = JobError::fail(Billing(server_error().await)).to_json();
        assert_eq!(wrapped["message"], "cannot bill: ERROR: it is refused");
        assert!(!wrapped.to_string().contains("secret"), "{wrapped}");
    }

    #[test]
    fn the_maker_says_what_happens_next() {
        assert_eq!(JobError::fail("no").next(), Next::Fail);
        let second = Duration::from_secs(1);
        assert_eq!(JobError::short_of_means("no files").next(), Next::Release);
        assert_eq!(JobError::retry_after("later", second).next(), Next::Retry(Some(second)));
        assert_eq!(
            JobError::retry("x").code("smtp").to_json(),
            json!({"code": "smtp", "message": "x"})
        );
    }

    #[test]
    fn a_typed_result_keeps_every_digit() {
        let Ok(Outcome::CompleteWithRaw(raw)) = Outcome::complete_with(&(i128::MAX, 1.5)) else {
            panic!("no result")
        };
        assert_eq!(raw.get(), format!("[{},1.5]", i128::MAX));
        assert_eq!(Outcome::complete_with("\0").unwrap_err().next(), Next::Fail);
    }

    #[test]
    fn a_stored_error_is_at_most_16_kib_whatever_its_characters() {
        for character in ["x", "é", "\u{1}", "\"", "\0", "𝄞"] {
            let error = Outer(std::io::Error::other(character.repeat(20_000)));
            let mut error = JobError::from(error).code(character.repeat(1000));
            error.message = clean(&character.repeat(20_000), MESSAGE_BYTES_MAX);
            let text = error.to_json().to_string();
            assert!(text.len() <= ERROR_BYTES_MAX, "{} bytes", text.len());
            assert!(!text.contains("\\u0000"));
        }
    }

    #[test]
    fn a_cut_text_counts_its_escapes() {
        assert_eq!(cut_as_json("a\"b", 5), "a\"");
        assert_eq!(cut_as_json("ab", 4), "ab");
        assert_eq!(cut_as_json("\u{1}", 7), "");
        assert_eq!(cut_as_json("é", 3), "");
    }
}
