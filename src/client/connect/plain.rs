//! The connector of a build without TLS.

use tokio_postgres::NoTls;

use super::url::{TlsMode, TlsTarget};
use crate::error::{Error, Result};

/// Encrypts nothing.
pub(crate) type Connector = NoTls;

/// Refuses a URL that demands encryption.
pub(super) fn connector(target: &TlsTarget) -> Result<Connector> {
    match target.mode {
        TlsMode::Disable | TlsMode::Prefer => Ok(NoTls),
        TlsMode::Require | TlsMode::VerifyCa | TlsMode::VerifyFull => Err(Error::configuration(
            "sslmode demands encryption, and this program was built without it",
            "build it with the feature `tls` of the crate fairclaim",
        )),
    }
}
