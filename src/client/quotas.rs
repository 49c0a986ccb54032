//! Quotas on waiting jobs, and tenants and queues that take no new jobs.

use std::time::SystemTime;

use serde::Serialize;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    client::Client,
    error::{Error, Result},
    protocol::{
        statements::{
            DRAIN_QUEUE, DRAIN_TENANT, QUOTAS, Statement, UNDRAIN_QUEUE, UNDRAIN_TENANT, Value,
        },
        tenant::Tenant,
    },
};

/// What a drain or its end answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DrainChange {
    /// Since when no new jobs are taken; none when they are.
    #[serde(serialize_with = "crate::protocol::timestamp::serialize_option")]
    pub drained_at: Option<SystemTime>,
    /// Whether it was being drained before.
    pub was_drained: bool,
    /// Of a queue: whether jobs wait in it, or did within the last hour.
    pub in_use: bool,
}

/// One quota that is in force, or one tenant or queue that is being drained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct QuotaRow {
    /// Whose it is; none for every tenant.
    pub tenant_id: Option<Uuid>,
    /// What that tenant is called, if a job was dispatched for it by name.
    pub tenant: Option<String>,
    /// The queue it holds in; none for all queues together.
    pub queue: Option<String>,
    /// `tenant` (its own), `default` (of every tenant without its own) or `drain`.
    pub subject: String,
    /// How many jobs may wait; none of a drain.
    pub max_waiting: Option<i32>,
    /// Whether more are refused; else they are let in, and shown here.
    pub refuses: bool,
    /// How many jobs wait. None where no one tenant is meant.
    pub waiting: Option<i32>,
    /// Whether there may be more, since counting stops a little above the quota.
    pub at_least: bool,
    /// Since when no new jobs are taken.
    #[serde(serialize_with = "crate::protocol::timestamp::serialize_option")]
    pub drained_at: Option<SystemTime>,
}

impl Client {
    /// Lists the quotas that are in force and what is being drained: all of them, or what concerns
    /// a tenant, a queue, or both. At most 1,000.
    ///
    /// # Errors
    /// [`ErrorKind::PrivilegeMissing`](crate::ErrorKind::PrivilegeMissing) for a login that is no
    /// operator.
    pub async fn quotas(
        &self,
        tenant: Option<&Tenant>,
        queue: Option<&str>,
    ) -> Result<Vec<QuotaRow>> {
        check(queue)?;
        let rows = self.rows(&QUOTAS, &[&tenant.map(Tenant::uuid), &queue]).await?;
        rows.iter().map(quota).collect()
    }

    /// Takes no new jobs of a tenant any more: dispatches are refused with
    /// [`ErrorKind::QuotaExceeded`](crate::ErrorKind::QuotaExceeded), and what waits or runs is
    /// finished. `why` is kept in the audit table, 1,000 characters at most.
    ///
    /// # Errors
    /// [`ErrorKind::PrivilegeMissing`](crate::ErrorKind::PrivilegeMissing) for a login that is no
    /// operator.
    pub async fn drain_tenant(&self, tenant: &Tenant, why: Option<&str>) -> Result<DrainChange> {
        self.change_drain(&DRAIN_TENANT, &[&tenant.uuid(), &why]).await
    }

    /// Takes jobs of a drained tenant again.
    ///
    /// # Errors
    /// As [`Client::drain_tenant`].
    pub async fn undrain_tenant(&self, tenant: &Tenant, why: Option<&str>) -> Result<DrainChange> {
        self.change_drain(&UNDRAIN_TENANT, &[&tenant.uuid(), &why]).await
    }

    /// Takes no new jobs in a queue any more, of no tenant; see [`Client::drain_tenant`].
    ///
    /// # Errors
    /// As [`Client::drain_tenant`], and
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for a text that cannot be
    /// a queue's name.
    pub async fn drain_queue(&self, queue: &str, why: Option<&str>) -> Result<DrainChange> {
        check(Some(queue))?;
        self.change_drain(&DRAIN_QUEUE, &[&queue, &why]).await
    }

    /// Takes jobs in a drained queue again.
    ///
    /// # Errors
    /// As [`Client::drain_queue`].
    pub async fn undrain_queue(&self, queue: &str, why: Option<&str>) -> Result<DrainChange> {
        check(Some(queue))?;
        self.change_drain(&UNDRAIN_QUEUE, &[&queue, &why]).await
    }

    async fn change_drain(
        &self,
        statement: &Statement,
        values: &[Value<'_>],
    ) -> Result<DrainChange> {
        let row = self.row(statement, values).await?;
        Ok(DrainChange {
            drained_at: row.try_get("drained_at")?,
            was_drained: row.try_get("was_drained")?,
            in_use: row.try_get("in_use")?,
        })
    }
}

fn check(queue: Option<&str>) -> Result<()> {
    match queue {
        Some(queue) if queue.contains('\0') => {
            Err(Error::invalid_argument("queue", "must not hold a NUL"))
        }
        _ => Ok(()),
    }
}

fn quota(row: &Row) -> Result<QuotaRow> {
    Ok(QuotaRow {
        tenant_id: row.try_get("tenant_id")?,
        tenant: row.try_get("tenant")?,
        queue: row.try_get("queue")?,
        subject: row.try_get("subject")?,
        max_waiting: row.try_get("max_waiting")?,
        refuses: row.try_get("refuses")?,
        waiting: row.try_get("waiting")?,
        at_least: row.try_get("at_least")?,
        drained_at: row.try_get("drained_at")?,
    })
}
