//! The kinds of errors.

use std::fmt;

/// The kinds of errors, named after what the caller can do about them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// `JQ001`: another attempt has the job by now, and what this attempt did is not recorded.
    LeaseLost,
    /// `JQ002`: no tenant was given, or one that is not the caller's.
    TenantMissing,
    /// `JQ003`: the tenant has as many jobs waiting as it may have.
    QuotaExceeded,
    /// `JQ004`: an argument is out of its limits. [`Error::field`](super::Error::field) names it.
    InvalidArgument,
    /// `JQ005`: no such thing exists, or it belongs to another tenant. Both answer alike.
    NotFound,
    /// `JQ006`: the schema in the database is missing, older or newer than this build can work
    /// with.
    SchemaMismatch,
    /// `JQ007`: the login lacks a role or a privilege.
    PrivilegeMissing,
    /// The database cannot be reached, or the connection was lost. Whether the last statement took
    /// effect is unknown, unless [`Error::was_sent`](super::Error::was_sent) says that none was
    /// sent.
    Unavailable,
    /// Any other error of the server; [`Error::sqlstate`](super::Error::sqlstate) says which.
    Database,
    /// The driver reports something that this version of the library does not know.
    Driver,
    /// The connection URL, a setting or the worker's set-up is wrong.
    Configuration,
}

impl ErrorKind {
    /// Gives the protocol's own code (`JQ001` to `JQ007`), where the kind has one.
    #[must_use]
    pub fn code(self) -> Option<&'static str> {
        Some(match self {
            Self::LeaseLost => "JQ001",
            Self::TenantMissing => "JQ002",
            Self::QuotaExceeded => "JQ003",
            Self::InvalidArgument => "JQ004",
            Self::NotFound => "JQ005",
            Self::SchemaMismatch => "JQ006",
            Self::PrivilegeMissing => "JQ007",
            _ => return None,
        })
    }

    /// Finds the kind that a code of the protocol stands for.
    pub(super) fn of_code(code: &str) -> Option<Self> {
        [
            Self::LeaseLost,
            Self::TenantMissing,
            Self::QuotaExceeded,
            Self::InvalidArgument,
            Self::NotFound,
            Self::SchemaMismatch,
            Self::PrivilegeMissing,
        ]
        .into_iter()
        .find(|kind| kind.code() == Some(code))
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::LeaseLost => "lease lost",
            Self::TenantMissing => "tenant missing or foreign",
            Self::QuotaExceeded => "quota exceeded",
            Self::InvalidArgument => "bad argument",
            Self::NotFound => "not found",
            Self::SchemaMismatch => "schema does not fit",
            Self::PrivilegeMissing => "privilege missing",
            Self::Unavailable => "database unavailable",
            Self::Database => "database error",
            Self::Driver => "database driver",
            Self::Configuration => "bad configuration",
        })
    }
}
