//! The operator's side: look at jobs, cancel them, retry them.

use serde::Serialize;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    client::Client,
    error::{Error, Result},
    job_row::{JobRow, Status},
    statements::{CANCEL, LIST, RETRY, SHOW, Statement},
    tenant::Tenant,
};

/// What became of one job of a cancel or retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// The job.
    pub id: Uuid,
    /// Its status now; none when there is no such job, or it is another tenant's.
    pub status: Option<Status>,
}

/// Which jobs a list shows. Everything that is left out matches.
#[derive(Debug, Clone, Default)]
pub struct JobFilter {
    /// Only this tenant's.
    pub tenant: Option<Tenant>,
    /// Only this queue.
    pub queue: Option<String>,
    /// Only this type.
    pub job_type: Option<String>,
    /// Only this status.
    pub status: Option<Status>,
    /// Only jobs dispatched before this one: the `next` of the page before.
    pub before: Option<Uuid>,
    /// How many at most. Defaults to 100.
    pub limit: Option<i32>,
}

/// One page of a list, newest job first.
#[derive(Debug, Clone, Serialize)]
pub struct JobPage {
    /// The jobs, without payload, result and error.
    pub jobs: Vec<JobRow>,
    /// What to set as the filter's `before` for the next page; none on the last.
    pub next: Option<Uuid>,
}

impl Client {
    /// One job with all that the login may see of it. A job of another tenant is not found either.
    ///
    /// # Errors
    /// [`Error::Privilege`] for a login that is no operator.
    pub async fn job(&self, id: Uuid) -> Result<Option<JobRow>> {
        self.show(None, id).await
    }

    /// One job of this tenant.
    ///
    /// # Errors
    /// [`Error::Privilege`] for a login that may not read jobs.
    pub async fn job_of(&self, tenant: Tenant, id: Uuid) -> Result<Option<JobRow>> {
        self.show(Some(tenant), id).await
    }

    async fn show(&self, tenant: Option<Tenant>, id: Uuid) -> Result<Option<JobRow>> {
        let rows = self.rows(&SHOW, &[&id, &tenant.map(Tenant::uuid)]).await?;
        rows.first().map(JobRow::from_row).transpose()
    }

    /// One page of the jobs that match. A page of ended jobs costs the same however far back it lies; one of waiting jobs looks
    /// at all that wait.
    ///
    /// # Errors
    /// [`Error::BadArgument`] for a limit out of range, [`Error::Privilege`] for a login that may not list jobs.
    pub async fn jobs(&self, filter: &JobFilter) -> Result<JobPage> {
        let limit = filter.limit.unwrap_or(100);
        let texts = [("queue", &filter.queue), ("type", &filter.job_type)];
        if let Some((field, _)) = texts
            .into_iter()
            .find(|(_, text)| text.as_ref().is_some_and(|text| text.contains('\0')))
        {
            return Err(Error::bad_argument(field, "must not hold a NUL"));
        }
        let rows = self
            .rows(
                &LIST,
                &[
                    &filter.tenant.map(Tenant::uuid),
                    &filter.queue,
                    &filter.job_type,
                    &filter.status.map(Status::as_str),
                    &filter.before,
                    &limit,
                ],
            )
            .await?;
        let jobs = rows.iter().map(JobRow::from_overview).collect::<Result<Vec<_>>>()?;
        let full = usize::try_from(limit).is_ok_and(|limit| jobs.len() >= limit);
        let next = jobs.last().filter(|_| full).map(|job| job.id);
        Ok(JobPage { jobs, next })
    }

    /// Cancels jobs: a waiting one at once; a running one is marked, answers `processing`, and its handler is told.
    ///
    /// # Errors
    /// [`Error::Privilege`] when no tenant is given by a login that is no operator.
    pub async fn cancel(&self, tenant: Option<Tenant>, ids: &[Uuid]) -> Result<Vec<Changed>> {
        self.change(&CANCEL, tenant, ids).await
    }

    /// Runs failed or cancelled jobs again, with all their attempts.
    ///
    /// # Errors
    /// As [`Client::cancel`].
    pub async fn retry(&self, tenant: Option<Tenant>, ids: &[Uuid]) -> Result<Vec<Changed>> {
        self.change(&RETRY, tenant, ids).await
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
        let rows = self.rows(statement, &[&tenant.map(Tenant::uuid), &ids]).await?;
        rows.iter().map(changed).collect()
    }
}

fn changed(row: &Row) -> Result<Changed> {
    let status = row.try_get::<_, Option<&str>>("status")?.map(str::parse).transpose()?;
    Ok(Changed { id: row.try_get("id")?, status })
}
