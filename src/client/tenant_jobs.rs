//! What operators do to everything that one tenant has: count, export, cancel, run again, move and
//! purge it. Each goes in steps, which are transactions of their own.

use std::time::{Duration, SystemTime};

use serde::Serialize;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    client::Client,
    error::{Error, Result},
    protocol::{
        job_filter::JobFilter,
        statements::{
            CANCEL_WAITING, COUNT_TENANT, EXPORT_TENANT, MOVE_WAITING, PURGE_TENANT, RETRY_FAILED,
            SET_RETENTION, Statement, Value,
        },
        tenant::Tenant,
    },
};

/// What there is of one tenant, see [`Client::count_tenant`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TenantCount {
    /// How many jobs, whatever their status, counted up to 100,000.
    pub jobs: i32,
    /// How many of them wait for a worker.
    pub waiting: i32,
    /// How many of them are delayed, snoozed or to be retried.
    pub scheduled: i32,
    /// How many of them run.
    pub running: i32,
    /// How many of them have ended.
    pub ended: i32,
    /// How many errors their attempts left.
    pub errors: i32,
    /// How many limits and other settings the tenant has of its own.
    pub settings: i32,
    /// Whether there are more jobs than were counted.
    pub more: bool,
}

/// What an operation on the jobs of a tenant did so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TenantTotals {
    /// How many jobs of the tenant were looked at, whatever their status.
    pub looked: u64,
    /// How many were cancelled, moved, or put back to run again.
    pub changed: u64,
    /// How many another transaction held at that moment: they are as they were.
    pub passed: u64,
    /// When the last job that is run again is due; none where none was.
    #[serde(serialize_with = "crate::protocol::timestamp::serialize_option")]
    pub until: Option<SystemTime>,
}

/// What [`Client::purge_tenant`] deleted so far, and what it left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PurgeTotals {
    /// How many jobs went, with payloads, results and errors.
    pub jobs: u64,
    /// How many errors of attempts went with them.
    pub errors: u64,
    /// How many limits, names and other settings went.
    pub settings: u64,
    /// How many jobs were left because they run.
    pub running: u64,
    /// How many jobs were left because another transaction held them.
    pub passed: u64,
    /// Whether jobs of the tenant are left; its settings stay then as well.
    pub more: bool,
}

/// One line of an export.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ExportItem {
    /// What it is: `tenant`, `setting`, `audit` or `job`.
    pub kind: String,
    /// All that is known of it.
    pub document: serde_json::Value,
}

/// A page of an export.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ExportPage {
    /// The items, jobs by their ids.
    pub items: Vec<ExportItem>,
    /// Where the next page begins; the last page has none.
    pub next: Option<Uuid>,
}

impl Client {
    /// Counts what there is of one tenant, over its oldest 100,000 jobs.
    ///
    /// # Errors
    /// [`ErrorKind::PrivilegeMissing`](crate::ErrorKind::PrivilegeMissing) for a login that is no
    /// operator.
    pub async fn count_tenant(&self, tenant: &Tenant) -> Result<TenantCount> {
        let row = self.row(&COUNT_TENANT, &[&tenant.uuid()]).await?;
        Ok(TenantCount {
            jobs: row.try_get("jobs")?,
            waiting: row.try_get("waiting")?,
            scheduled: row.try_get("scheduled")?,
            running: row.try_get("running")?,
            ended: row.try_get("ended")?,
            errors: row.try_get("errors")?,
            settings: row.try_get("settings")?,
            more: row.try_get("more")?,
        })
    }

    /// Cancels what waits of one tenant, pending or delayed, and leaves what runs. The filter names
    /// the tenant; its status and error stay empty. `on_step` gets the totals so far after each
    /// thousand of the tenant's jobs. `why` is kept in the audit table, 1,000 characters at most.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for a filter without a
    /// tenant or with a status, [`ErrorKind::PrivilegeMissing`](crate::ErrorKind::PrivilegeMissing)
    /// for a login that is no operator. The steps before an error stay done.
    pub async fn cancel_waiting(
        &self,
        filter: &JobFilter,
        why: Option<&str>,
        mut on_step: impl FnMut(&TenantTotals),
    ) -> Result<TenantTotals> {
        if filter.error.is_some() {
            return Err(Error::invalid_argument("error", "must be left out: nothing has failed"));
        }
        let (mut totals, mut after) = (TenantTotals::default(), None::<Uuid>);
        loop {
            let sent = Sent::of(filter)?;
            let values = [&sent.values()[..], &[&after, &why]].concat();
            after = self.step(&CANCEL_WAITING, &values, &mut totals).await?.next;
            on_step(&totals);
            if after.is_none() {
                return Ok(totals);
            }
        }
    }

    /// Runs the failed jobs of one tenant again at a bounded rate: `per_second` of them become due
    /// a second, each with all its attempts. The rest as [`Client::cancel_waiting`]; the filter may
    /// name an error, which only auditors may ask for.
    ///
    /// # Errors
    /// As [`Client::cancel_waiting`]; the rate is 0.01 to 100,000.
    pub async fn retry_failed(
        &self,
        filter: &JobFilter,
        per_second: f64,
        why: Option<&str>,
        mut on_step: impl FnMut(&TenantTotals),
    ) -> Result<TenantTotals> {
        let (mut totals, mut after) = (TenantTotals::default(), None::<Uuid>);
        loop {
            let (sent, start) = (Sent::of(filter)?, totals.until);
            let values =
                [&sent.values()[..], &[&after, &why, &filter.error, &per_second, &start]].concat();
            let step = self.step(&RETRY_FAILED, &values, &mut totals).await?;
            if step.changed > 0 {
                totals.until = step.until;
            }
            after = step.next;
            on_step(&totals);
            if after.is_none() {
                return Ok(totals);
            }
        }
    }

    /// Moves what waits of one tenant in the filter's queue to another queue. Of the filter only
    /// tenant, queue and type count, and the first two are needed. The rest as
    /// [`Client::cancel_waiting`].
    ///
    /// # Errors
    /// As [`Client::cancel_waiting`], and for a name that no queue can have.
    pub async fn move_waiting(
        &self,
        filter: &JobFilter,
        to_queue: &str,
        why: Option<&str>,
        mut on_step: impl FnMut(&TenantTotals),
    ) -> Result<TenantTotals> {
        if filter.older_than.or(filter.newer_than).is_some() || filter.error.is_some() {
            let rule = "must be left out: jobs are moved by queue and type";
            return Err(Error::invalid_argument("older_than", rule));
        }
        let (mut totals, mut after) = (TenantTotals::default(), None::<Uuid>);
        loop {
            let sent = Sent::of(filter)?;
            let values: [Value<'_>; 6] =
                [&sent.tenant, &sent.queue, &to_queue, &sent.job_type, &after, &why];
            after = self.step(&MOVE_WAITING, &values, &mut totals).await?.next;
            on_step(&totals);
            if after.is_none() {
                return Ok(totals);
            }
        }
    }

    /// Deletes everything of one tenant: what waits and what has ended, and when no job is left,
    /// its name and settings. A running job stays, and `more` says so: call it again when it has
    /// ended. [Drain](Client::drain_tenant) the tenant first, or new jobs come. A purge that was
    /// interrupted goes on where it was.
    ///
    /// # Errors
    /// As [`Client::cancel_waiting`].
    pub async fn purge_tenant(
        &self,
        tenant: &Tenant,
        why: Option<&str>,
        mut on_step: impl FnMut(&PurgeTotals),
    ) -> Result<PurgeTotals> {
        let (mut totals, mut after) = (PurgeTotals::default(), None::<Uuid>);
        loop {
            let row = self.row(&PURGE_TENANT, &[&tenant.uuid(), &after, &why]).await?;
            let count = |name: &str| -> Result<u64> {
                Ok(u64::from(row.try_get::<_, i32>(name)?.unsigned_abs()))
            };
            totals.jobs += count("jobs")?;
            totals.errors += count("errors")?;
            totals.settings += count("settings")?;
            totals.running += count("running")?;
            totals.passed += count("passed")?;
            totals.more = row.try_get("more")?;
            on_step(&totals);
            after = row.try_get("next")?;
            if after.is_none() {
                return Ok(totals);
            }
        }
    }

    /// Reads a page of everything of one tenant: first what is known of the tenant itself, then
    /// `limit` (1 to 10,000) of its jobs. Without `payloads` it has no payload, result and metadata,
    /// and of errors the code only.
    ///
    /// # Errors
    /// [`ErrorKind::PrivilegeMissing`](crate::ErrorKind::PrivilegeMissing) for payloads to a login
    /// that is no auditor, and for a login that is neither auditor nor operator.
    pub async fn export_tenant(
        &self,
        tenant: &Tenant,
        after: Option<Uuid>,
        limit: i32,
        payloads: bool,
    ) -> Result<ExportPage> {
        let values: [Value<'_>; 4] = [&tenant.uuid(), &after, &limit, &payloads];
        let rows = self.rows(&EXPORT_TENANT, &values).await?;
        let item = |row: &Row| -> Result<ExportItem> {
            Ok(ExportItem { kind: row.try_get("kind")?, document: row.try_get("document")? })
        };
        Ok(ExportPage {
            next: rows.last().map(|row| row.try_get("next")).transpose()?.flatten(),
            items: rows.iter().map(item).collect::<Result<_>>()?,
        })
    }

    /// Sets how long ended jobs of one tenant are kept: from an hour up to the retention of the
    /// settings; none takes the tenant's own retention away.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for a time out of these
    /// bounds, [`ErrorKind::PrivilegeMissing`](crate::ErrorKind::PrivilegeMissing) for a login that
    /// is no operator.
    pub async fn set_retention(
        &self,
        tenant: &Tenant,
        retention: Option<Duration>,
        why: Option<&str>,
    ) -> Result<()> {
        let seconds = retention.map(|span| span.as_secs_f64());
        self.row(&SET_RETENTION, &[&tenant.uuid(), &seconds, &why]).await?;
        Ok(())
    }

    async fn step(
        &self,
        statement: &Statement,
        values: &[Value<'_>],
        totals: &mut TenantTotals,
    ) -> Result<Step> {
        let row = self.row(statement, values).await?;
        let count = |name: &str| -> Result<u64> {
            Ok(u64::from(row.try_get::<_, i32>(name)?.unsigned_abs()))
        };
        let changed = count("changed")?;
        totals.looked += count("looked")?;
        totals.changed += changed;
        totals.passed += count("passed")?;
        let has_until = row.columns().iter().any(|column| column.name() == "until");
        let until = if has_until { row.try_get("until")? } else { None };
        Ok(Step { changed, next: row.try_get("next")?, until })
    }
}

/// What one call answered, beside what goes into the totals.
struct Step {
    changed: u64,
    next: Option<Uuid>,
    until: Option<SystemTime>,
}

/// The parts of a filter that travel, in the order of the statements.
struct Sent<'a> {
    tenant: Uuid,
    queue: Option<&'a str>,
    job_type: Option<&'a str>,
    older_than: Option<f64>,
    newer_than: Option<f64>,
}

impl<'a> Sent<'a> {
    fn of(filter: &'a JobFilter) -> Result<Self> {
        filter.check()?;
        let tenant = filter.tenant.as_ref();
        let tenant =
            tenant.ok_or_else(|| Error::invalid_argument("tenant", "must be named"))?.uuid();
        if filter.status.is_some() {
            return Err(Error::invalid_argument("status", "must be left out: the call implies it"));
        }
        Ok(Self {
            tenant,
            queue: filter.queue.as_deref(),
            job_type: filter.job_type.as_deref(),
            older_than: filter.older_than.map(|age| age.as_secs_f64()),
            newer_than: filter.newer_than.map(|age| age.as_secs_f64()),
        })
    }

    fn values(&self) -> [Value<'_>; 5] {
        [&self.tenant, &self.queue, &self.job_type, &self.older_than, &self.newer_than]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::status::Status;

    #[test]
    fn a_filter_without_a_tenant_or_with_a_status_is_refused() {
        let refused = |filter: JobFilter| Sent::of(&filter).err().expect("refused").to_string();
        assert!(refused(JobFilter::new()).contains("tenant: must be named"));
        let acme = JobFilter::new().tenant(Tenant::named("acme").unwrap());
        assert!(refused(acme.clone().status(Status::Failed)).contains("status: "));
        assert!(Sent::of(&acme).is_ok());
    }
}
