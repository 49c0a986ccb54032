//! The one error type of this crate.

use std::{fmt, io};

/// The result of everything here that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Says why a private server cannot be found, started, used or stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    message: String,
    hint: Option<String>,
}

impl Error {
    /// Says what to do next, where that is known.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    pub(crate) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: Some(hint.into()) }
    }

    pub(crate) fn without_hint(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    /// An input or output error, with what was being done.
    pub(crate) fn io(doing: &str, error: &io::Error) -> Self {
        Self::without_hint(format!("{doing}: {error}"))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "private server: {}", self.message)
    }
}

impl std::error::Error for Error {}

/// Only the server's message is kept: its DETAIL and CONTEXT may quote values.
impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::without_hint(match error.as_db_error() {
            Some(said) => format!("{}: {}", said.code().code(), said.message()),
            None => error.to_string(),
        })
    }
}
