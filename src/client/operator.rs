//! The calls of operators: they show jobs, cancel, retry, release and delete them, and prune what
//! is past retention.

use std::time::Duration;

use serde::Serialize;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    client::Client,
    error::Result,
    protocol::{
        job_filter::JobFilter,
        job_row::JobRow,
        statements::{
            CANCEL, DELETE, DROP_RANGES, DROP_RANGES_OLDER, LIST, PRUNE, PRUNE_OLDER, RELEASE_JOBS,
            RELEASE_WORKER, RETRY, SHOW, Statement, Value,
        },
        status::Status,
        tenant::Tenant,
    },
};

/// What became of one job that was to be cancelled, retried or released.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// The id of the job.
    pub id: Uuid,
    /// Its status now. There is none when no such job exists, or when it is another tenant's.
    pub status: Option<Status>,
}

/// What became of one job of [`Client::delete`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Deleted {
    /// The id of the job.
    pub id: Uuid,
    /// The status that it had, or that it has if it was not deleted. There is none when no such job
    /// exists, or when it is another tenant's.
    pub status: Option<Status>,
    /// Whether it is gone.
    pub deleted: bool,
}

/// One page of a list, with the newest job first.
#[derive(Debug, Clone, Serialize)]
pub struct JobPage {
    /// The jobs, without payload, result and error.
    pub jobs: Vec<JobRow>,
    /// The value of the filter's `before` for the next page; the last page has none.
    pub next: Option<Uuid>,
}

/// What one call of [`Client::prune`] did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Pruned {
    /// How many jobs it deleted.
    pub rows_deleted: i64,
    /// How many jobs it could not delete; the server's log has their ids.
    pub passed_over: i32,
    /// Whether nothing was done, because another prune is at work or all of them rest.
    pub busy: bool,
    /// Whether there is more to look at.
    pub more: bool,
}

impl Pruned {
    pub(crate) fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            rows_deleted: row.try_get("rows_deleted")?,
            passed_over: row.try_get("passed_over")?,
            busy: row.try_get("busy")?,
            more: row.try_get("more")?,
        })
    }
}

/// What one call of [`Client::drop_ranges`] did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RangesDropped {
    /// How many ranges of ids it dropped, which is one or none.
    pub ranges_dropped: i32,
    /// How many ranges it left because they are in use just now.
    pub ranges_in_use: i32,
}

impl RangesDropped {
    pub(crate) fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            ranges_dropped: row.try_get("ranges_dropped")?,
            ranges_in_use: row.try_get("ranges_in_use")?,
        })
    }
}

impl Client {
    /// Shows one job with all that the login may see of it. A job of another tenant is not found
    /// either.
    ///
    /// # Errors
    /// [`ErrorKind::PrivilegeMissing`](crate::ErrorKind::PrivilegeMissing) for a login that is no
    /// operator.
    pub async fn job(&self, id: Uuid) -> Result<Option<JobRow>> {
        self.show(None, id).await
    }

    /// Shows one job of this tenant.
    ///
    /// # Errors
    /// [`ErrorKind::PrivilegeMissing`](crate::ErrorKind::PrivilegeMissing) for a login that may not
    /// read jobs.
    pub async fn job_of(&self, tenant: Tenant, id: Uuid) -> Result<Option<JobRow>> {
        self.show(Some(tenant), id).await
    }

    async fn show(&self, tenant: Option<Tenant>, id: Uuid) -> Result<Option<JobRow>> {
        let rows = self.rows(&SHOW, &[&id, &tenant.as_ref().map(Tenant::uuid)]).await?;
        rows.first().map(JobRow::from_row).transpose()
    }

    /// Lists one page of the jobs that match. A page of ended jobs costs as much as it has jobs,
    /// however far back it lies, as long as every job that it meets matches. A filter that few jobs
    /// match looks at many others too, so give it a tenant or an age. A page of waiting jobs looks
    /// at all that wait.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for a value out of range,
    /// [`ErrorKind::PrivilegeMissing`](crate::ErrorKind::PrivilegeMissing) for a login that may not
    /// list jobs, or not by their errors.
    pub async fn jobs(&self, filter: &JobFilter) -> Result<JobPage> {
        filter.check()?;
        let limit = filter.limit.unwrap_or(100);
        let sent = filter.sent();
        let page: [Value<'_>; 2] = [&filter.before, &limit];
        let rows = self.rows(&LIST, &[&sent.values()[..], &page].concat()).await?;
        let jobs = rows.iter().map(JobRow::from_list).collect::<Result<Vec<_>>>()?;
        let next = match rows.last() {
            Some(last) if last.try_get("more")? => Some(last.try_get("id")?),
            _ => None,
        };
        Ok(JobPage { jobs, next })
    }

    /// Cancels jobs. A waiting job ends at once. A running one is marked and answers `processing`,
    /// and its handler is asked to stop.
    ///
    /// # Errors
    /// [`ErrorKind::TenantMissing`](crate::ErrorKind::TenantMissing) when no tenant is given by a
    /// login that is no operator, and the settings have no default tenant.
    pub async fn cancel(&self, tenant: Option<Tenant>, ids: &[Uuid]) -> Result<Vec<Changed>> {
        self.change(&CANCEL, tenant, ids).await
    }

    /// Runs failed or cancelled jobs again, with all their attempts before them.
    ///
    /// # Errors
    /// As [`Client::cancel`].
    pub async fn retry(&self, tenant: Option<Tenant>, ids: &[Uuid]) -> Result<Vec<Changed>> {
        self.change(&RETRY, tenant, ids).await
    }

    /// Deletes jobs that wait or have ended, with their results, errors and history. A running job
    /// stays, and its answer says so: cancel it, or [release](Client::release) it, and delete it
    /// when it has ended. A job that is being moved at this moment stays too: call again.
    ///
    /// # Errors
    /// [`ErrorKind::PrivilegeMissing`](crate::ErrorKind::PrivilegeMissing) for a login that is no
    /// operator.
    pub async fn delete(&self, tenant: Option<Tenant>, ids: &[Uuid]) -> Result<Vec<Deleted>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let rows = self.rows(&DELETE, &[&tenant.as_ref().map(Tenant::uuid), &ids]).await?;
        let read = |row: &Row| {
            let Changed { id, status } = changed(row)?;
            Ok(Deleted { id, status, deleted: row.try_get("deleted")? })
        };
        rows.iter().map(read).collect()
    }

    /// Takes running jobs from workers that are gone, before their leases end: they wait again, or
    /// end as cancelled where that was asked for. No attempt is used up. A worker that lives after
    /// all has its settlement refused, and may run the job beside the next worker for a while. A
    /// job that answers `processing` is being settled or extended at this moment.
    ///
    /// # Errors
    /// [`ErrorKind::PrivilegeMissing`](crate::ErrorKind::PrivilegeMissing) for a login that is no
    /// operator.
    pub async fn release(&self, tenant: Option<Tenant>, ids: &[Uuid]) -> Result<Vec<Changed>> {
        self.change(&RELEASE_JOBS, tenant, ids).await
    }

    /// Releases the jobs that a worker holds, of every tenant, at most `limit` (1 to 1,000) a call:
    /// call it until none is left. Stop the worker first, since it goes on claiming as long as it
    /// lives.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for a limit out of range,
    /// [`ErrorKind::PrivilegeMissing`](crate::ErrorKind::PrivilegeMissing) for a login that is no
    /// operator.
    pub async fn release_worker(&self, worker_id: &str, limit: i32) -> Result<Vec<Changed>> {
        let rows = self.rows(&RELEASE_WORKER, &[&worker_id, &limit]).await?;
        rows.iter().map(changed).collect()
    }

    /// Deletes jobs that ended before the retention began, one by one, for about 200 ms. Call it as
    /// long as there is `more`, and call [`Client::drop_ranges`] before it. Workers do both by
    /// themselves.
    ///
    /// Only an operator may give a `retention` that differs from the setting of the installation;
    /// it is at least an hour.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for less than an hour,
    /// [`ErrorKind::PrivilegeMissing`](crate::ErrorKind::PrivilegeMissing) for a login that may not
    /// prune, or may not choose the retention.
    pub async fn prune(&self, retention: Option<Duration>) -> Result<Pruned> {
        let row = match retention {
            None => self.row(&PRUNE, &[]).await?,
            Some(span) => self.row(&PRUNE_OLDER, &[&span.as_secs_f64()]).await?,
        };
        Pruned::read(&row)
    }

    /// Drops a range of ids in which every job ended before the retention began, which is much
    /// cheaper than deleting its jobs one by one. Call it until it drops none. It waits for no
    /// transaction, and none waits for it for longer than some milliseconds.
    ///
    /// # Errors
    /// As [`Client::prune`].
    pub async fn drop_ranges(&self, retention: Option<Duration>) -> Result<RangesDropped> {
        let row = match retention {
            None => self.row(&DROP_RANGES, &[]).await?,
            Some(span) => self.row(&DROP_RANGES_OLDER, &[&span.as_secs_f64()]).await?,
        };
        RangesDropped::read(&row)
    }

    async fn change(
        &self,
        statement: &Statement,
        tenant: Option<Tenant>,
        ids: &[Uuid],
    ) -> Result<Vec<Changed>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let rows = self.rows(statement, &[&tenant.as_ref().map(Tenant::uuid), &ids]).await?;
        rows.iter().map(changed).collect()
    }
}

fn changed(row: &Row) -> Result<Changed> {
    let status = row.try_get::<_, Option<&str>>("status")?.map(str::parse).transpose()?;
    Ok(Changed { id: row.try_get("id")?, status })
}
