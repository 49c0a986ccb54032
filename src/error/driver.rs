//! Explains errors that the driver or the pool raises by itself, without an answer of the server.

use std::{error::Error as StdError, io, sync::Arc};

#[cfg(feature = "tls")]
use super::tls;
use super::{Error, ErrorKind, server};

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(error) => server::explain(error),
            None => explain(error),
        }
    }
}

/// What the driver was doing. It keeps its kinds of errors private, so the fixed first words of its
/// messages are the only way to tell a faulty program, schema or URL from a connection that broke.
/// A test provokes each of them with the locked version.
enum Doing {
    /// An answer or a parameter does not have the shape that this program expects.
    Reading,
    Encoding,
    Connecting,
    Authenticating,
    /// The connection broke, or what answers does not keep to the protocol.
    Talking,
    Unknown,
}

impl Doing {
    fn of(text: &str) -> Self {
        let prefixes = [
            ("error serializing parameter", Self::Reading),
            ("error deserializing column", Self::Reading),
            ("invalid column", Self::Reading),
            ("query returned an unexpected number of", Self::Reading),
            ("expected ", Self::Reading),
            ("error encoding message", Self::Encoding),
            ("error connecting to server", Self::Connecting),
            ("error performing TLS handshake", Self::Connecting),
            ("authentication error", Self::Authenticating),
            ("invalid configuration", Self::Authenticating),
            ("invalid connection string", Self::Authenticating),
            ("error communicating with the server", Self::Talking),
            ("connection closed", Self::Talking),
            ("timeout waiting for server", Self::Talking),
            ("unexpected message from server", Self::Talking),
            ("error parsing response", Self::Talking),
        ];
        let found = prefixes.into_iter().find(|(prefix, _)| text.starts_with(prefix));
        found.map_or(Self::Unknown, |(_, doing)| doing)
    }
}

fn explain(error: tokio_postgres::Error) -> Error {
    #[cfg(feature = "tls")]
    if let Some(explained) = tls::cause(&error).and_then(tls::explain) {
        return explained;
    }
    let text = error.to_string();
    let cause = error.source().map(ToString::to_string).unwrap_or_default();
    let message = if cause.is_empty() { text.clone() } else { format!("{text}: {cause}") };
    match Doing::of(&text) {
        // the cause may quote the value, so it is left out
        Doing::Reading => Error::schema_mismatch(
            format!("the answer does not have the expected shape ({text})"),
            "run `fairclaim migrate` of the same version as this program",
        ),
        Doing::Encoding => {
            Error::invalid_argument("a value", "is too large for one message to the server")
        }
        Doing::Connecting if cause.contains("does not support TLS") => Error::configuration(
            "the server does not offer TLS",
            "switch ssl on there; use sslmode=disable only in a network that you trust",
        ),
        Doing::Authenticating if cause.contains("channel binding") => Error::configuration(
            "the server did not bind its authentication to the TLS connection",
            "it needs TLS, scram-sha-256 and no proxy in between that ends TLS; else use \
             channel_binding=prefer",
        ),
        Doing::Authenticating => {
            Error::configuration(message, "check user, password and host of the connection URL")
        }
        Doing::Connecting => Error::unavailable(message).unsent().with_source(error),
        Doing::Talking => Error::unavailable(message).with_source(error),
        // the cause is left out here too, since it is not known what it may hold
        Doing::Unknown if !error.is_closed() => Error::new(ErrorKind::Driver, text)
            .with_hint("look at what was done before you repeat it, and report this"),
        Doing::Unknown => Error::unavailable(text),
    }
}

impl Error {
    /// Keeps what the operating system reported.
    fn with_source(mut self, error: tokio_postgres::Error) -> Self {
        let cause = error.into_source().and_then(|cause| cause.downcast::<io::Error>().ok());
        self.0.source = cause.map(|cause| Arc::from(*cause));
        self
    }
}

impl From<deadpool_postgres::PoolError> for Error {
    fn from(error: deadpool_postgres::PoolError) -> Self {
        use deadpool_postgres::{PoolError, TimeoutType};
        match error {
            PoolError::Backend(error) => error.into(),
            PoolError::Timeout(TimeoutType::Create) => {
                Self::unavailable("the server did not answer in time").unsent()
            }
            PoolError::Timeout(_) => Self::pool(
                "no connection of the pool became free in time; a larger pool may be needed",
            ),
            PoolError::Closed => Self::pool("the connection pool was closed"),
            PoolError::NoRuntimeSpecified => Self::configuration(
                "the connection pool has time-outs but no runtime",
                "build it with `.runtime(deadpool_postgres::Runtime::Tokio1)`",
            ),
            PoolError::PostCreateHook(_) => {
                Self::pool("a hook of the connection pool refused the new connection")
            }
        }
    }
}

impl Error {
    /// Reports a pool that gives no connection.
    fn pool(message: &str) -> Self {
        Self::unavailable(message)
            .with_hint("close what holds connections for long, or give the pool more of them")
            .unsent()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_connection_that_was_never_opened_is_certain_to_have_sent_nothing() {
        let closed = Error::from(tokio_postgres::Error::__private_api_timeout());
        assert!(closed.is_unavailable() && closed.was_sent(), "{closed:?}");
        let pool = Error::from(deadpool_postgres::PoolError::Closed);
        assert!(pool.is_unavailable() && !pool.was_sent(), "{pool:?}");
    }
}
