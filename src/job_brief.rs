//! What a producer may ask about the jobs that it has dispatched.

use std::time::SystemTime;

use serde::Serialize;
use serde_json::{Value, value::RawValue};
use tokio_postgres::{Row, types::Json};
use uuid::Uuid;

use crate::{
    client::Client,
    error::Result,
    job_row::Status,
    json,
    statements::GET_JOBS,
    tenant::{Owner, Tenant},
};

/// How many ids one call takes at most.
const IDS_MAX: usize = 10_000;

/// What a producer sees of a job: where it is, and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct JobBrief {
    /// The id of the job.
    pub id: Uuid,
    /// Where it is in its life.
    pub status: Status,
    /// How often it was claimed.
    pub attempts: i32,
    /// What its handler returned, once it has completed. A number beyond the range of `f64` stands
    /// as its text.
    pub result: Option<Value>,
    /// The code of its last error, once it has failed or was cancelled.
    pub error_code: Option<String>,
    /// When it reached its final state.
    #[serde(serialize_with = "crate::timestamp::serialize_option")]
    pub ended_at: Option<SystemTime>,
}

impl JobBrief {
    fn read(row: &Row) -> Result<Self> {
        let result: Option<Json<Box<RawValue>>> = row.try_get("result")?;
        Ok(Self {
            id: row.try_get("id")?,
            status: row.try_get::<_, &str>("status")?.parse()?,
            attempts: row.try_get("attempts")?,
            result: result.map(|Json(text)| json::value(&text)),
            error_code: row.try_get("error_code")?,
            ended_at: row.try_get("ended_at")?,
        })
    }
}

impl Client {
    /// Looks at jobs of one tenant and answers in the order of the ids. An id that the tenant does
    /// not have is left out, whether it is another tenant's or no job's at all. More than 10,000
    /// ids travel in several calls.
    ///
    /// ```no_run
    /// use fairclaim::{Status, Tenant};
    ///
    /// # use fairclaim::{Client, Error};
    /// # async fn example(client: Client, id: uuid::Uuid) -> Result<(), Error> {
    /// let jobs = client.get_jobs(Tenant::named("acme")?, &[id]).await?;
    /// if let Some(job) = jobs.first().filter(|job| job.status == Status::Completed) {
    ///     println!("{:?}", job.result);
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::PrivilegeMissing`](crate::ErrorKind::PrivilegeMissing) for a login that is no
    /// producer, [`ErrorKind::TenantMissing`](crate::ErrorKind::TenantMissing) for
    /// [`DefaultTenant`](crate::DefaultTenant) where the settings have none.
    pub async fn get_jobs(&self, tenant: impl Into<Owner>, ids: &[Uuid]) -> Result<Vec<JobBrief>> {
        let tenant = tenant.into().0.as_ref().map(Tenant::uuid);
        let mut jobs = Vec::with_capacity(ids.len());
        for part in ids.chunks(IDS_MAX) {
            for row in self.rows(&GET_JOBS, &[&tenant, &part]).await? {
                jobs.push(JobBrief::read(&row)?);
            }
        }
        Ok(jobs)
    }
}
