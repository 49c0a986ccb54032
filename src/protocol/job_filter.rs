//! The filter by which an operator says which jobs are meant.

use std::time::Duration;

use uuid::Uuid;

use crate::{
    error::{Error, Result},
    protocol::{statements::Value, status::Status, tenant::Tenant},
};

/// The greatest age that can be asked for. The database has the same bound.
const MAX_AGE: Duration = Duration::from_secs(50 * 365 * 86_400);

/// Says which jobs a list shows, or an action is for. A part that is left out lets every job match.
///
/// ```
/// use std::time::Duration;
/// use fairclaim::{JobFilter, Status, Tenant};
///
/// # fn main() -> Result<(), fairclaim::Error> {
/// let filter = JobFilter::new()
///     .tenant(Tenant::named("acme")?)
///     .status(Status::Failed)
///     .newer_than(Duration::from_secs(3600))
///     .error("timeout");
/// # assert_eq!(filter.status, Some(Status::Failed));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// Keeps only the jobs of this tenant.
    pub tenant: Option<Tenant>,
    /// Keeps only the jobs of this queue.
    pub queue: Option<String>,
    /// Keeps only the jobs of this type.
    pub job_type: Option<String>,
    /// Keeps only the jobs in this status.
    pub status: Option<Status>,
    /// Keeps only jobs that were dispatched longer ago than this, at most 50 years.
    pub older_than: Option<Duration>,
    /// Keeps only jobs that were dispatched within this time, at most 50 years.
    pub newer_than: Option<Duration>,
    /// Keeps only jobs that did not complete and whose last error has this text in its code,
    /// message or trace, in upper or lower case. Only auditors may ask for it.
    pub error: Option<String>,
    /// Keeps only jobs that were dispatched before this one: the `next` of the page before.
    pub before: Option<Uuid>,
    /// How many jobs a page has at most, 1 to 1,000. It defaults to 100.
    pub limit: Option<i32>,
}

impl JobFilter {
    /// Makes a filter that every job matches.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps only the jobs of this tenant.
    #[must_use]
    pub fn tenant(mut self, tenant: Tenant) -> Self {
        self.tenant = Some(tenant);
        self
    }

    /// Keeps only the jobs of this queue.
    #[must_use]
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.queue = Some(queue.into());
        self
    }

    /// Keeps only the jobs of this type.
    #[must_use]
    pub fn job_type(mut self, job_type: impl Into<String>) -> Self {
        self.job_type = Some(job_type.into());
        self
    }

    /// Keeps only the jobs in this status.
    #[must_use]
    pub fn status(mut self, status: Status) -> Self {
        self.status = Some(status);
        self
    }

    /// Keeps only jobs that were dispatched longer ago than this.
    #[must_use]
    pub fn older_than(mut self, age: Duration) -> Self {
        self.older_than = Some(age);
        self
    }

    /// Keeps only jobs that were dispatched within this time.
    #[must_use]
    pub fn newer_than(mut self, age: Duration) -> Self {
        self.newer_than = Some(age);
        self
    }

    /// Keeps only jobs whose last error has this text in its code, message or trace.
    #[must_use]
    pub fn error(mut self, text: impl Into<String>) -> Self {
        self.error = Some(text.into());
        self
    }

    /// Keeps only jobs that were dispatched before this one.
    #[must_use]
    pub fn before(mut self, id: Uuid) -> Self {
        self.before = Some(id);
        self
    }

    /// Sets how many jobs a page has at most.
    #[must_use]
    pub fn limit(mut self, limit: i32) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Refuses a value that could not even be sent.
    pub(crate) fn check(&self) -> Result<()> {
        let texts = [("queue", &self.queue), ("type", &self.job_type), ("error", &self.error)];
        let holds_nul =
            |text: &Option<String>| text.as_ref().is_some_and(|text| text.contains('\0'));
        if let Some((field, _)) = texts.into_iter().find(|(_, text)| holds_nul(text)) {
            return Err(Error::invalid_argument(field, "must not hold a NUL"));
        }
        let ages = [("older_than", self.older_than), ("newer_than", self.newer_than)];
        if let Some((field, _)) =
            ages.into_iter().find(|(_, age)| age.is_some_and(|age| age > MAX_AGE))
        {
            return Err(Error::invalid_argument(field, "must be at most 50 years"));
        }
        Ok(())
    }

    /// Turns the filter into the first parameters of a call.
    pub(crate) fn sent(&self) -> Sent<'_> {
        Sent {
            tenant: self.tenant.as_ref().map(Tenant::uuid),
            queue: self.queue.as_deref(),
            job_type: self.job_type.as_deref(),
            status: self.status.map(Status::as_str),
            older_than: self.older_than.map(|age| age.as_secs_f64()),
            newer_than: self.newer_than.map(|age| age.as_secs_f64()),
            error: self.error.as_deref(),
        }
    }
}

/// The parts of a filter that travel, in the types of the statements.
pub(crate) struct Sent<'a> {
    tenant: Option<Uuid>,
    queue: Option<&'a str>,
    job_type: Option<&'a str>,
    status: Option<&'static str>,
    older_than: Option<f64>,
    newer_than: Option<f64>,
    error: Option<&'a str>,
}

impl Sent<'_> {
    /// Lists them in the order that the statements have.
    pub(crate) fn values(&self) -> [Value<'_>; 7] {
        [
            &self.tenant,
            &self.queue,
            &self.job_type,
            &self.status,
            &self.older_than,
            &self.newer_than,
            &self.error,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_sent_is_refused_with_its_name() {
        let refused = |filter: JobFilter| filter.check().expect_err("a bad filter").to_string();
        assert!(refused(JobFilter::new().queue("a\0b")).contains("queue: "));
        assert!(refused(JobFilter::new().error("\0")).contains("error: "));
        assert!(refused(JobFilter::new().older_than(Duration::MAX)).contains("older_than: "));
        assert_eq!(JobFilter::new().newer_than(MAX_AGE).check(), Ok(()));
    }
}
