//! What people set for tenants and queues: weights, limits, quotas and pauses.

use std::time::SystemTime;

use serde::Serialize;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::error::{Error, Result};

/// Why an operator changes something, and when the change ends by itself.
///
/// ```
/// use std::time::{Duration, SystemTime};
///
/// use fairclaim::Because;
///
/// let tomorrow = SystemTime::now() + Duration::from_secs(86_400);
/// let because = Because::why("the import floods").until(tomorrow);
/// # let _ = (because, Because::default());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Because {
    pub(crate) why: Option<String>,
    pub(crate) until: Option<SystemTime>,
}

impl Because {
    /// Gives a reason, at most 1,000 characters.
    #[must_use]
    pub fn why(reason: impl Into<String>) -> Self {
        Self { why: Some(reason.into()), until: None }
    }

    /// Lets the change end at this time of the database's clock, and what was declared is in force
    /// again. The tick after that time ends it.
    #[must_use]
    pub fn until(mut self, until: SystemTime) -> Self {
        self.until = Some(until);
        self
    }

    pub(crate) fn check(&self) -> Result<()> {
        match &self.why {
            Some(why) if why.contains('\0') => {
                Err(Error::invalid_argument("why", "must not hold a NUL"))
            }
            _ => Ok(()),
        }
    }
}

/// One setting of a tenant, a queue or of every tenant: what was declared, what an operator has set,
/// and what is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Bound {
    /// `weight`, `running` (a limit), `waiting` (a quota) or `paused`. Later versions may have more.
    pub kind: String,
    /// `tenant`; `default`, which is every tenant without a setting of its own there; or `queue`,
    /// which is all tenants together.
    pub subject: String,
    /// The tenant, if the subject is one.
    pub tenant_id: Option<Uuid>,
    /// What the tenant is called, where that is known.
    pub tenant: Option<String>,
    /// The queue; none for all queues.
    pub queue: Option<String>,
    /// What the application's deployment has declared.
    pub base: Option<i32>,
    /// What an operator has set, which goes before the base.
    #[serde(rename = "override")]
    pub overridden: Option<i32>,
    /// What is in force.
    pub in_force: Option<i32>,
    /// Of a quota: whether a dispatch beyond it is refused.
    pub refuses: Option<bool>,
    /// The login that set what is in force.
    pub set_by: Option<String>,
    /// Why it did.
    pub why: Option<String>,
    /// When it ends by itself.
    #[serde(serialize_with = "crate::protocol::timestamp::serialize_option")]
    pub until: Option<SystemTime>,
    /// When it was set.
    #[serde(serialize_with = "crate::protocol::timestamp::serialize_option")]
    pub set_at: Option<SystemTime>,
}

impl Bound {
    pub(crate) fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            kind: row.try_get("kind")?,
            subject: row.try_get("subject")?,
            tenant_id: row.try_get("tenant_id")?,
            tenant: row.try_get("tenant")?,
            queue: row.try_get("queue")?,
            base: row.try_get("base")?,
            overridden: row.try_get("override")?,
            in_force: row.try_get("in_force")?,
            refuses: row.try_get("refuses")?,
            set_by: row.try_get("set_by")?,
            why: row.try_get("why")?,
            until: row.try_get("until")?,
            set_at: row.try_get("set_at")?,
        })
    }
}

/// A setting after a change, and whether its tenant and queue are known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BoundChange {
    /// The setting as it is now.
    #[serde(flatten)]
    pub bound: Bound,
    /// Whether a job was dispatched for the tenant by name or one of its jobs is there. A misspelt
    /// name shows by this. None where no tenant is meant.
    pub known: Option<bool>,
    /// Whether jobs wait in the queue, or have within the last hour. None where no queue is meant.
    pub in_use: Option<bool>,
}

impl BoundChange {
    pub(crate) fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            bound: Bound::read(row)?,
            known: row.try_get("known")?,
            in_use: row.try_get("in_use")?,
        })
    }
}

/// What a pause or a resume of a tenant found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TenantChange {
    /// The tenant.
    pub tenant_id: Uuid,
    /// What it is called, where that is known.
    pub tenant: Option<String>,
    /// Since when it is paused; none when it is not.
    #[serde(serialize_with = "crate::protocol::timestamp::serialize_option")]
    pub paused_at: Option<SystemTime>,
    /// When the pause ends by itself.
    #[serde(serialize_with = "crate::protocol::timestamp::serialize_option")]
    pub until: Option<SystemTime>,
    /// Whether it was paused before.
    pub was_paused: bool,
    /// Whether a job was dispatched for it by name or one of its jobs is there.
    pub known: bool,
}

impl TenantChange {
    pub(crate) fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            tenant_id: row.try_get("tenant_id")?,
            tenant: row.try_get("tenant")?,
            paused_at: row.try_get("paused_at")?,
            until: row.try_get("until")?,
            was_paused: row.try_get("was_paused")?,
            known: row.try_get("known")?,
        })
    }
}

/// One change that a declaration makes, or would make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DeclaredChange {
    /// `added`, `changed` or `removed`.
    pub change: String,
    /// Where it stands in the document: `tenants.acme.queues.mail.max_running`.
    pub what: String,
    /// `weight`, `running` or `waiting`.
    pub kind: String,
    /// The tenant, if it is a setting of one.
    pub tenant_id: Option<Uuid>,
    /// The queue; none for all queues.
    pub queue: Option<String>,
    /// What was declared before.
    pub old: Option<i32>,
    /// What is declared now.
    pub new: Option<i32>,
    /// Of a quota: whether a dispatch beyond it is refused.
    pub refuses: Option<bool>,
}

impl DeclaredChange {
    pub(crate) fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            change: row.try_get("change")?,
            what: row.try_get("what")?,
            kind: row.try_get("kind")?,
            tenant_id: row.try_get("tenant_id")?,
            queue: row.try_get("queue")?,
            old: row.try_get("old")?,
            new: row.try_get("new")?,
            refuses: row.try_get("refuses")?,
        })
    }
}

/// One change of settings that was written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AuditEntry {
    /// Its number; later ones are greater.
    pub audit_id: i64,
    /// When it was made.
    #[serde(serialize_with = "crate::protocol::timestamp::serialize")]
    pub at: SystemTime,
    /// The login; `tick` for what ended by itself.
    pub who: String,
    /// The function that was called.
    pub what: String,
    /// `tenant`, `default`, `queue` or `all`.
    pub subject: String,
    /// The tenant, if it was about one.
    pub tenant_id: Option<Uuid>,
    /// What the tenant is called, where that is known.
    pub tenant: Option<String>,
    /// The queue, if it was about one.
    pub queue: Option<String>,
    /// The value before.
    pub old_value: Option<String>,
    /// The value after.
    pub new_value: Option<String>,
    /// When the change ends by itself.
    #[serde(serialize_with = "crate::protocol::timestamp::serialize_option")]
    pub until: Option<SystemTime>,
    /// Why it was made.
    pub why: Option<String>,
    /// How many settings it changed.
    pub many: i32,
}

impl AuditEntry {
    pub(crate) fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            audit_id: row.try_get("audit_id")?,
            at: row.try_get("at")?,
            who: row.try_get("who")?,
            what: row.try_get("what")?,
            subject: row.try_get("subject")?,
            tenant_id: row.try_get("tenant_id")?,
            tenant: row.try_get("tenant")?,
            queue: row.try_get("queue")?,
            old_value: row.try_get("old_value")?,
            new_value: row.try_get("new_value")?,
            until: row.try_get("until")?,
            why: row.try_get("why")?,
            many: row.try_get("many")?,
        })
    }
}
