//! Who owns a job.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::error::{Error, Result};

/// The customer a job belongs to: a uuid.
///
/// An application that knows its tenants by a name or number maps them with [`Tenant::named`], which always gives the
/// same uuid, the one that `fairclaim.tenant_uuid(text)` gives in SQL.
///
/// ```
/// use fairclaim::Tenant;
///
/// let acme = Tenant::named("acme")?;
/// assert_eq!(acme, Tenant::named("acme")?);
/// assert_ne!(acme, Tenant::named("Acme")?);
/// # Ok::<(), fairclaim::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tenant(Uuid);

impl Tenant {
    /// The tenant of a name: itself when the name is a hyphenated uuid, else the first 16 bytes of
    /// `sha256("fairclaim:tenant:" + name)`, marked as a uuid of version 8.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for an empty name, one of
    /// more than 255 bytes, or one with a NUL.
    pub fn named(name: impl AsRef<str>) -> Result<Self> {
        let name = name.as_ref();
        if name.is_empty() || name.len() > 255 || name.contains('\0') {
            return Err(Error::invalid_argument("tenant", "must be 1 to 255 bytes without NUL"));
        }
        if let Some(uuid) = hyphenated(name) {
            return Ok(Self(uuid));
        }
        let mut hash = Sha256::new();
        hash.update(b"fairclaim:tenant:");
        hash.update(name.as_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash.finalize()[..16]);
        Ok(Self(uuid::Builder::from_custom_bytes(bytes).into_uuid()))
    }

    /// The uuid that the database knows the tenant by.
    pub fn uuid(self) -> Uuid {
        self.0
    }
}

/// A uuid in its one canonical form, of either case. The others that the `uuid` crate reads (braces, urn, no hyphens) are
/// names like any other, as they are in SQL.
fn hyphenated(name: &str) -> Option<Uuid> {
    if name.len() == 36 { Uuid::try_parse(name).ok() } else { None }
}

impl From<Uuid> for Tenant {
    fn from(uuid: Uuid) -> Self {
        Self(uuid)
    }
}

impl From<Tenant> for Uuid {
    fn from(tenant: Tenant) -> Self {
        tenant.0
    }
}

impl FromStr for Tenant {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::named(name)
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> String {
        Tenant::named(name).unwrap().to_string()
    }

    #[test]
    fn a_uuid_names_itself_in_either_case() {
        let uuid = "0192f0c1-2345-7abc-8def-0123456789ab";
        assert_eq!(named(uuid), uuid);
        assert_eq!(named(&uuid.to_uppercase()), uuid);
    }

    #[test]
    fn other_forms_of_a_uuid_are_names() {
        let simple = "0192f0c123457abc8def0123456789ab";
        assert_ne!(named(simple), "0192f0c1-2345-7abc-8def-0123456789ab");
        assert_ne!(named(&format!("{{{simple}}}")), named(simple));
    }

    #[test]
    fn names_become_version_8_uuids() {
        let tenant = Tenant::named("acme").unwrap().uuid();
        assert_eq!(tenant.get_version_num(), 8);
        assert_eq!(tenant.get_variant(), uuid::Variant::RFC4122);
    }

    #[test]
    fn names_without_meaning_are_refused() {
        for name in ["", "a\0b", &"x".repeat(256)] {
            assert_eq!(Tenant::named(name).unwrap_err().code(), Some("JQ004"));
        }
        assert!(Tenant::named("x".repeat(255)).is_ok());
    }
}
