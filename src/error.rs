//! The one error type of the library, and how errors of the driver become it.
//!
//! A server error carries more than a message: DETAIL, CONTEXT and the query may quote the values of a row. None of them
//! is ever passed on, kept as a source, or logged.

mod server;
#[cfg(feature = "tls")]
mod tls;

/// The result of everything here that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong, named after what the caller can do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// `JQ001`: another worker has the job by now; what this attempt did is not recorded.
    #[error("lease lost: {message}")]
    LeaseLost {
        /// What was refused.
        message: String,
        /// What to do next.
        hint: Option<String>,
    },
    /// `JQ002`: no tenant was given, or it is not the caller's.
    #[error("tenant missing or foreign: {message}")]
    Tenant {
        /// What was refused.
        message: String,
        /// What to do next.
        hint: Option<String>,
    },
    /// `JQ003`: the tenant has as many jobs waiting as it may have.
    #[error("quota exceeded: {message}")]
    Quota {
        /// What was refused.
        message: String,
        /// What to do next.
        hint: Option<String>,
    },
    /// `JQ004`: an argument is out of its limits. The message names the field and the limit, never the value.
    #[error("bad argument: {message}")]
    BadArgument {
        /// The field and its rule.
        message: String,
        /// What to do next.
        hint: Option<String>,
    },
    /// `JQ005`: there is no such thing, or it belongs to somebody else; both answer alike.
    #[error("not found: {message}")]
    NotFound {
        /// What was looked for.
        message: String,
        /// What to do next.
        hint: Option<String>,
    },
    /// `JQ006`: the schema in the database is missing, older or newer than this build can work with.
    #[error("schema does not fit: {message}")]
    Schema {
        /// What does not fit.
        message: String,
        /// What to do next.
        hint: Option<String>,
    },
    /// `JQ007`: the login lacks a role or a privilege.
    #[error("privilege missing: {message}")]
    Privilege {
        /// What was denied.
        message: String,
        /// The grant to ask for.
        hint: Option<String>,
    },
    /// The database cannot be reached, or the connection was lost. Whether the last statement took effect is unknown.
    #[error("database unavailable: {message}")]
    Unavailable {
        /// How it failed.
        message: String,
    },
    /// Any other error of the server.
    #[error("database error {sqlstate}: {message}")]
    Database {
        /// The five characters of its SQLSTATE.
        sqlstate: String,
        /// Its primary message, or a fixed text where that would quote a value.
        message: String,
    },
    /// The connection URL, a setting or the worker's set-up is wrong; nothing was sent.
    #[error("bad configuration: {message}")]
    Config {
        /// What is wrong, without the URL (it holds a password).
        message: String,
        /// What to do next.
        hint: Option<String>,
    },
}

impl Error {
    /// The protocol's own code (`JQ001` to `JQ007`), where the error has one.
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::LeaseLost { .. } => Some("JQ001"),
            Self::Tenant { .. } => Some("JQ002"),
            Self::Quota { .. } => Some("JQ003"),
            Self::BadArgument { .. } => Some("JQ004"),
            Self::NotFound { .. } => Some("JQ005"),
            Self::Schema { .. } => Some("JQ006"),
            Self::Privilege { .. } => Some("JQ007"),
            Self::Unavailable { .. } | Self::Database { .. } | Self::Config { .. } => None,
        }
    }

    /// What to do next, where the error knows.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::LeaseLost { hint, .. }
            | Self::Tenant { hint, .. }
            | Self::Quota { hint, .. }
            | Self::BadArgument { hint, .. }
            | Self::NotFound { hint, .. }
            | Self::Schema { hint, .. }
            | Self::Privilege { hint, .. }
            | Self::Config { hint, .. } => hint.as_deref(),
            Self::Unavailable { message } => Some(server::unavailable_hint(message)),
            Self::Database { sqlstate, .. } => server::database_hint(sqlstate),
        }
    }

    /// Whether the database could not be reached; the same call may succeed later.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    /// Whether the same call may succeed when repeated: the database was away, or two transactions got in each other's
    /// way and the server ended this one. A call that needs more temporary space than its login may use needs it again.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable { .. } => true,
            // 25006: a primary that has just become a replica
            Self::Database { sqlstate, .. } => {
                matches!(sqlstate.as_str(), "55P03" | "55006" | "25006")
                    || matches!(sqlstate.get(..2), Some("40" | "53" | "57")) && sqlstate != "53400"
            }
            _ => false,
        }
    }

    /// An argument that was refused before anything was sent.
    pub(crate) fn bad_argument(field: &str, rule: &str) -> Self {
        Self::BadArgument { message: format!("{field}: {rule}"), hint: None }
    }

    /// A configuration that cannot work.
    pub(crate) fn config(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Config { message: message.into(), hint: Some(hint.into()) }
    }

    /// A right that the login lacks; what it is about names the role to ask for.
    pub(crate) fn denied(message: &str) -> Self {
        Self::Privilege { message: message.into(), hint: Some(server::grant_hint(message)) }
    }

    /// A lost connection.
    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::Unavailable { message: message.into() }
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(error) => server::explain(error),
            None => from_driver(&error),
        }
    }
}

/// The driver keeps its kinds private; the fixed first words of its messages are the only way to tell a faulty program,
/// schema or URL from a connection that broke.
fn from_driver(error: &tokio_postgres::Error) -> Error {
    let text = error.to_string();
    let starts = |words: &[&str]| words.iter().any(|word| text.starts_with(word));
    if starts(&[
        "error serializing",
        "error deserializing",
        "invalid column",
        "query returned",
        "expected",
    ]) {
        // the cause may quote the value, so it is left out
        return Error::Schema {
            message: format!("the answer does not have the expected shape ({text})"),
            hint: Some("run `fairclaim migrate` of the same version as this program".into()),
        };
    }
    if starts(&["error encoding"]) {
        return Error::bad_argument("a value", "is too large for one message to the server");
    }
    let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    let message = if cause.is_empty() { text.clone() } else { format!("{text}: {cause}") };
    #[cfg(feature = "tls")]
    if let Some(explained) = tls::cause(error).and_then(tls::explain) {
        return explained;
    }
    if cause.contains("does not support TLS") {
        return Error::config(
            "the server does not offer TLS",
            "switch ssl on there; only where nobody can listen in, use sslmode=disable",
        );
    }
    if cause.contains("channel binding") {
        return Error::config(
            "the server did not bind its authentication to the TLS connection",
            "it needs TLS, scram-sha-256 and no proxy in between that ends TLS; else use channel_binding=prefer",
        );
    }
    if starts(&["authentication error", "invalid configuration", "invalid connection"]) {
        return Error::config(message, "check user, password and host of the connection URL");
    }
    Error::Unavailable { message }
}

impl From<deadpool_postgres::PoolError> for Error {
    fn from(error: deadpool_postgres::PoolError) -> Self {
        use deadpool_postgres::{PoolError, TimeoutType};
        match error {
            PoolError::Backend(error) => error.into(),
            PoolError::Timeout(TimeoutType::Create) => {
                Self::unavailable("the server did not answer in time")
            }
            PoolError::Timeout(_) => Self::unavailable(
                "no connection of the pool became free in time; a larger pool may be needed",
            ),
            PoolError::Closed => Self::unavailable("the connection pool was closed"),
            PoolError::NoRuntimeSpecified => Self::config(
                "the connection pool has time-outs but no runtime",
                "build it with `.runtime(deadpool_postgres::Runtime::Tokio1)`",
            ),
            PoolError::PostCreateHook(_) => {
                Self::unavailable("a hook of the connection pool refused the new connection")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_the_protocol_has_its_variant() {
        let make = |message: &str| (message.to_owned(), Some("do this".to_owned()));
        let (message, hint) = make("p_id: none");
        let error = Error::NotFound { message, hint };
        assert_eq!(error.code(), Some("JQ005"));
        assert_eq!(error.hint(), Some("do this"));
        assert_eq!(error.to_string(), "not found: p_id: none");
    }

    #[test]
    fn only_what_may_pass_is_transient() {
        assert!(Error::unavailable("gone").is_transient());
        let database =
            |sqlstate: &str| Error::Database { sqlstate: sqlstate.into(), message: String::new() };
        assert!(database("40P01").is_transient());
        assert!(!database("22P02").is_transient());
        assert!(database("53100").is_transient(), "a disk is made room on");
        assert!(!database("53400").is_transient(), "a limit of the configuration stays");
        assert!(!Error::bad_argument("queue", "too long").is_transient());
    }
}
