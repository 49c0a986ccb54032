//! The call by which a producer looks at the jobs that it has dispatched.

use uuid::Uuid;

use crate::{
    client::Client,
    error::Result,
    protocol::{
        job_brief::JobBrief,
        statements::GET_JOBS,
        tenant::{Owner, Tenant},
    },
};

/// How many ids one call takes at most.
const IDS_MAX: usize = 10_000;

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
