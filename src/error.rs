//! The one error type of the library, and how errors of the driver and the server become it.
//!
//! An error of the server carries more than a message: DETAIL, CONTEXT and the query may quote the
//! values of a row. None of them is ever passed on, kept as a source, or logged. Only the DETAIL of
//! an error of the protocol itself is read, since that one names what is at fault and holds no
//! value.

mod detail;
mod driver;
mod kind;
mod path;
mod server;
#[cfg(feature = "tls")]
mod tls;

use std::{error::Error as StdError, fmt, io, sync::Arc};

use serde_json::Value;

#[cfg(feature = "worker")]
pub(crate) use self::server::READ_ONLY;
pub use self::{detail::Bounds, kind::ErrorKind};

/// The result of everything here that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong: a kind to decide by, a message for people, what to do next, and which argument
/// is at fault.
///
/// ```
/// use fairclaim::{Dispatch, ErrorKind, Tenant};
///
/// # fn main() -> fairclaim::Result<()> {
/// let job = Dispatch::raw(Tenant::named("acme")?, "send mail", 7)?;
/// let error = job.verify(std::time::SystemTime::UNIX_EPOCH).expect_err("a type has no blank");
/// assert_eq!(error.kind(), ErrorKind::InvalidArgument);
/// assert_eq!(error.field(), Some("type"));
/// assert!(!error.was_sent());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    sqlstate: Option<String>,
    /// The rule that is broken, or what happened; without the place, which is put in front of it.
    message: String,
    hint: Option<String>,
    argument: Option<String>,
    field: Option<String>,
    item: Option<usize>,
    path: Option<Vec<Value>>,
    bounds: Bounds,
    was_sent: bool,
    /// Whether a role is missing that the statement which was sent needs.
    lacks_role: bool,
    source: Option<Arc<io::Error>>,
}

impl Error {
    /// Gives the kind of error, by which a caller decides what to do.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Gives the protocol's own code (`JQ001` to `JQ007`), where the kind of error has one.
    #[must_use]
    pub fn code(&self) -> Option<&'static str> {
        self.0.kind.code()
    }

    /// Gives the five characters of the server's SQLSTATE, where the server sent one. An
    /// [`ErrorKind::Database`] always has it.
    #[must_use]
    pub fn sqlstate(&self) -> Option<&str> {
        self.0.sqlstate.as_deref()
    }

    /// Names the SQL argument that the server refused, such as `p_jobs`.
    #[must_use]
    pub fn argument(&self) -> Option<&str> {
        self.0.argument.as_deref()
    }

    /// Gives the plain name of what is at fault: `queue`, `priority`, `results`.
    #[must_use]
    pub fn field(&self) -> Option<&str> {
        self.0.field.as_deref()
    }

    /// Says which item of a list is at fault, counted from 0.
    #[must_use]
    pub fn item(&self) -> Option<usize> {
        self.0.item
    }

    /// Tells where in a document of [`Client::declare_limits`](crate::Client::declare_limits) the
    /// fault is, such as `tenants.acme.weight`. The error itself holds no name of the caller's, so
    /// it needs the document. None for any other error.
    #[must_use]
    pub fn path_in(&self, document: &Value) -> Option<String> {
        path::spelled(self.0.path.as_ref()?, document)
    }

    /// Gives the bounds of the field, as far as they are known.
    #[must_use]
    pub fn bounds(&self) -> &Bounds {
        &self.0.bounds
    }

    /// Gives the rule that the field breaks, or what happened. It never holds a value of the
    /// caller. [`fmt::Display`] puts the kind and the field in front of it.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Says what to do next, where the error knows it.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// Says whether a statement may have reached the database. If none has, nothing has happened
    /// there for certain. An error that the server answers ends the transaction, so nothing has
    /// happened then either; only after a lost connection it is unknown.
    #[must_use]
    pub fn was_sent(&self) -> bool {
        self.0.was_sent
    }

    /// Says whether the database could not be reached. The same call may succeed later.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        self.0.kind == ErrorKind::Unavailable
    }

    /// Says whether the same call may succeed when it is repeated: the database was away, or two
    /// transactions got in each other's way and the server ended this one. A call that needs more
    /// temporary space than its login may use is not among them, since it needs that space again.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match (self.0.kind, self.sqlstate()) {
            (ErrorKind::Unavailable, _) => true,
            // 25006: a primary that has just become a replica
            (ErrorKind::Database, Some(sqlstate)) => {
                matches!(sqlstate, "55P03" | "55006" | "25006")
                    || matches!(sqlstate.get(..2), Some("40" | "53" | "57")) && sqlstate != "53400"
            }
            _ => false,
        }
    }

    /// Says where the fault is, as people write it: `queue`, `results[3]`, `jobs[3].queue`.
    fn place(&self) -> Option<String> {
        let field = self.field()?;
        let list = self.argument().map_or(field, |name| name.strip_prefix("p_").unwrap_or(name));
        Some(match self.item() {
            Some(item) if list == field => format!("{field}[{item}]"),
            Some(item) => format!("{list}[{item}].{field}"),
            None => field.to_owned(),
        })
    }
}

/// The ways in which the rest of the library makes errors.
impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            sqlstate: None,
            message: message.into(),
            hint: None,
            argument: None,
            field: None,
            item: None,
            path: None,
            bounds: Bounds::default(),
            was_sent: true,
            lacks_role: false,
            source: None,
        }))
    }

    /// Says what to do next.
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Replaces the message.
    pub(crate) fn with_message(mut self, message: impl Into<String>) -> Self {
        self.0.message = message.into();
        self
    }

    /// Says that no statement can have reached the database.
    pub(crate) fn unsent(mut self) -> Self {
        self.0.was_sent = false;
        self
    }

    /// Says which job of a batch is at fault.
    pub(crate) fn of_job(mut self, item: usize) -> Self {
        self.0.argument = Some("p_jobs".to_owned());
        self.0.item = Some(item);
        self
    }

    /// Counts the item from the first of all jobs, where the database counts within one call.
    pub(crate) fn behind(mut self, sent: usize) -> Self {
        self.0.item = self.0.item.map(|item| item + sent);
        self
    }

    /// Refuses an argument before anything is sent.
    pub(crate) fn invalid_argument(field: &str, rule: &str) -> Self {
        let mut error = Self::new(ErrorKind::InvalidArgument, rule).unsent();
        error.0.field = Some(field.to_owned());
        error.with_hint(format!("change {field} as the message says; nothing was sent"))
    }

    /// Reports a configuration that cannot work.
    pub(crate) fn configuration(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(ErrorKind::Configuration, message).with_hint(hint).unsent()
    }

    /// Reports a schema that does not fit this program.
    pub(crate) fn schema_mismatch(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(ErrorKind::SchemaMismatch, message).with_hint(hint)
    }

    /// Reports a right that the login lacks; [`Error::wanting`] names the role that has it.
    pub(crate) fn privilege_missing(message: &str) -> Self {
        let mut error = Self::new(ErrorKind::PrivilegeMissing, message);
        error.0.lacks_role = true;
        error
    }

    /// Names the role to ask for, if the error is that a role is missing.
    pub(crate) fn wanting(self, role: &str, login: Option<&str>) -> Self {
        if self.0.lacks_role { self.with_hint(server::role_hint(role, login)) } else { self }
    }

    /// Says whether the login lacks a role.
    pub(crate) fn lacks_role(&self) -> bool {
        self.0.lacks_role
    }

    /// Reports a connection that was lost or could not be had.
    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, message).with_hint(server::NO_ANSWER)
    }

    /// Reports an error that keeps the code of the server.
    pub(crate) fn database(sqlstate: &str, message: impl Into<String>) -> Self {
        let mut error = Self::new(ErrorKind::Database, message);
        error.0.hint = server::database_hint(sqlstate).map(str::to_owned);
        error.0.sqlstate = Some(sqlstate.to_owned());
        error
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0.kind)?;
        if let (ErrorKind::Database, Some(sqlstate)) = (self.0.kind, self.sqlstate()) {
            write!(formatter, " {sqlstate}")?;
        }
        if let Some(place) = self.place() {
            write!(formatter, ": {place}")?;
        }
        write!(formatter, ": {}", self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Error");
        shown.field("kind", &self.0.kind).field("message", &self.0.message);
        let texts = [
            ("sqlstate", &self.0.sqlstate),
            ("argument", &self.0.argument),
            ("field", &self.0.field),
            ("hint", &self.0.hint),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                shown.field(name, text);
            }
        }
        if let Some(item) = self.0.item {
            shown.field("item", &item);
        }
        shown.finish_non_exhaustive()
    }
}

/// Compares what two errors say and what they say it of, but not what an operating system reported
/// beneath.
impl PartialEq for Error {
    fn eq(&self, other: &Self) -> bool {
        let says = |inner: &Inner| (inner.kind, inner.item, inner.was_sent);
        let texts = |inner: &'_ Inner| {
            [&inner.sqlstate, &inner.hint, &inner.argument, &inner.field].map(Clone::clone)
        };
        says(&self.0) == says(&other.0)
            && self.0.message == other.0.message
            && texts(&self.0) == texts(&other.0)
            && self.0.bounds == other.0.bounds
    }
}

impl StdError for Error {
    /// Gives the error of the operating system beneath a connection that broke or could not be
    /// opened. Nothing else is kept, since errors of the server and of the driver may quote values.
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_its_kind_its_place_and_its_rule() {
        let error = Error::invalid_argument("queue", "is too long");
        assert_eq!(error.to_string(), "bad argument: queue: is too long");
        assert_eq!(
            (error.code(), error.field(), error.item()),
            (Some("JQ004"), Some("queue"), None)
        );
        let error = error.of_job(7).behind(10_000);
        assert_eq!(error.to_string(), "bad argument: jobs[10007].queue: is too long");
        assert_eq!(error.item(), Some(10_007));
        let mut error = Error::invalid_argument("results", "is too large");
        error.0.item = Some(3);
        assert_eq!(error.to_string(), "bad argument: results[3]: is too large");
        assert_eq!(
            Error::database("40P01", "deadlock").to_string(),
            "database error 40P01: deadlock"
        );
    }

    #[test]
    fn an_error_about_no_item_stays_about_none() {
        assert_eq!(Error::invalid_argument("jobs", "too many").behind(10_000).item(), None);
    }

    #[test]
    fn only_what_may_pass_is_transient() {
        assert!(Error::unavailable("gone").is_transient());
        let database = |sqlstate: &str| Error::database(sqlstate, "");
        assert!(database("40P01").is_transient());
        assert!(!database("22P02").is_transient());
        assert!(database("53100").is_transient(), "a disk is made room on");
        assert!(!database("53400").is_transient(), "a limit of the configuration stays");
        assert!(!Error::invalid_argument("queue", "too long").is_transient());
    }

    #[test]
    fn an_error_is_small_enough_to_be_returned_everywhere() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
    }
}
