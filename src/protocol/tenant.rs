//! The owner of a job.

use std::{
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    str::FromStr,
    sync::Arc,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::error::{Error, Result};

/// The rule for the name of a tenant.
pub(crate) const NAME_RULE: &str = "must be 1 to 255 bytes without control characters";

/// The customer that a job belongs to: a uuid, and the name that the application gave it, if any.
///
/// An application that knows its tenants by a name or number maps them with [`Tenant::named`],
/// which always gives the same uuid, the one that `fairclaim.tenant_uuid(text)` gives in SQL. A
/// dispatch for a named tenant sends the name, and the database remembers it: lists and logs show
/// it beside the uuid. Two tenants are equal when their uuids are.
///
/// ```
/// use fairclaim::Tenant;
///
/// let acme = Tenant::named("acme")?;
/// assert_eq!(acme, Tenant::from(acme.uuid()));
/// assert_ne!(acme, Tenant::named("Acme")?);
/// # Ok::<(), fairclaim::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Tenant {
    id: Uuid,
    name: Option<Arc<str>>,
}

impl Tenant {
    /// Makes the tenant of a name. A hyphenated uuid names itself. Of any other name the uuid is
    /// the first 16 bytes of `sha256("fairclaim:tenant:" + name)`, marked as a uuid of version 8.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for an empty name, one of
    /// more than 255 bytes, or one with a control character.
    pub fn named(name: impl AsRef<str>) -> Result<Self> {
        let name = name.as_ref();
        if name.is_empty() || name.len() > 255 || name.contains(char::is_control) {
            return Err(Error::invalid_argument("tenant", NAME_RULE));
        }
        if let Some(id) = hyphenated(name) {
            return Ok(id.into());
        }
        let mut hash = Sha256::new();
        hash.update(b"fairclaim:tenant:");
        hash.update(name.as_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash.finalize()[..16]);
        let id = uuid::Builder::from_custom_bytes(bytes).into_uuid();
        Ok(Self { id, name: Some(name.into()) })
    }

    /// Gives the uuid that the database knows the tenant by.
    pub fn uuid(&self) -> Uuid {
        self.id
    }

    /// Gives the name that it was made of; none when it was made of a uuid.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }
}

/// The tenant of an application that has only one. Dispatches for it name no tenant, and the jobs
/// belong to the one that the setting `default_tenant` names (`fairclaim settings set
/// default_tenant app`, once, or [`Client::set_setting`]). Without that setting, such a dispatch is
/// refused with [`ErrorKind::TenantMissing`](crate::ErrorKind::TenantMissing).
///
/// ```no_run
/// use fairclaim::{Client, DefaultTenant, Dispatch};
/// # #[derive(serde::Serialize, serde::Deserialize)]
/// # struct SendMail { to: String }
/// # impl fairclaim::Job for SendMail { const TYPE: &'static str = "send_mail"; }
///
/// # async fn example(client: Client) -> Result<(), fairclaim::Error> {
/// let mail = SendMail { to: "a@b.example".into() };
/// client.dispatch(Dispatch::new(DefaultTenant, &mail)?).await?;
/// # Ok(()) }
/// ```
///
/// [`Client::set_setting`]: crate::Client::set_setting
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DefaultTenant;

/// The owner of a job: a [`Tenant`], a uuid, or the [`DefaultTenant`]. A function that takes an
/// owner takes each of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner(pub(crate) Option<Tenant>);

impl From<Tenant> for Owner {
    fn from(tenant: Tenant) -> Self {
        Self(Some(tenant))
    }
}

impl From<&Tenant> for Owner {
    fn from(tenant: &Tenant) -> Self {
        Self(Some(tenant.clone()))
    }
}

impl From<Uuid> for Owner {
    fn from(id: Uuid) -> Self {
        Self(Some(id.into()))
    }
}

impl From<DefaultTenant> for Owner {
    fn from(_: DefaultTenant) -> Self {
        Self(None)
    }
}

/// Reads a uuid in its one canonical form, in either case. The other forms that the crate `uuid`
/// reads (braces, urn, no hyphens) are names like any other, as they are in SQL.
fn hyphenated(name: &str) -> Option<Uuid> {
    if name.len() == 36 { Uuid::try_parse(name).ok() } else { None }
}

impl From<Uuid> for Tenant {
    fn from(id: Uuid) -> Self {
        Self { id, name: None }
    }
}

impl From<Tenant> for Uuid {
    fn from(tenant: Tenant) -> Self {
        tenant.id
    }
}

impl PartialEq for Tenant {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Tenant {}

impl Hash for Tenant {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

impl PartialOrd for Tenant {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Tenant {
    fn cmp(&self, other: &Self) -> Ordering {
        self.id.cmp(&other.id)
    }
}

/// Writes the tenant as its uuid.
impl Serialize for Tenant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.id.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Tenant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Uuid::deserialize(deserializer).map(Self::from)
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
        self.id.fmt(formatter)
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
    fn a_tenant_keeps_the_name_that_it_was_made_of_and_is_known_by_its_uuid() {
        let (acme, uuid) = (Tenant::named("acme").unwrap(), "0192f0c1-2345-7abc-8def-0123456789ab");
        assert_eq!((acme.name(), Tenant::named(uuid).unwrap().name()), (Some("acme"), None));
        let text = serde_json::to_string(&acme).unwrap();
        let read: Tenant = serde_json::from_str(&text).unwrap();
        assert_eq!((&read, read.name()), (&acme, None));
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
        for name in ["", "a\0b", "a\nb", "\u{7f}", "a\u{9b}", &"x".repeat(256)] {
            assert_eq!(Tenant::named(name).unwrap_err().code(), Some("JQ004"));
        }
        assert!(Tenant::named("x".repeat(255)).is_ok());
    }
}
