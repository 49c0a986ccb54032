//! Actions on all jobs that match a filter: they are counted first, then cancelled, retried or
//! deleted a page at a time.

use std::{
    collections::HashSet,
    time::{Instant, UNIX_EPOCH},
};

use serde::Serialize;
use uuid::Uuid;

use crate::{
    client::{
        Client,
        operator::{Changed, Deleted, JobPage},
    },
    error::{Error, Result},
    protocol::{
        job_filter::JobFilter,
        statements::{COUNT, Value},
        status::Status,
        tenant::Tenant,
    },
};

/// How many jobs one call changes; each page is a transaction of its own.
const PAGE: i32 = 1000;
/// How often a cancel looks again for jobs that moved past it, at most.
const ROUNDS: usize = 20;
/// How far jobs are counted.
const COUNT_UP_TO: i32 = 100_000;

/// How many jobs match.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    /// How many jobs were counted.
    pub jobs: u64,
    /// Whether there are more than that.
    pub more: bool,
}

/// What became of the jobs of a bulk action.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct BulkTotals {
    /// How many matched when their page was read.
    pub matched: u64,
    /// How many jobs the action changed: they are cancelled, wait again, or are deleted.
    pub changed: u64,
    /// How many jobs run and were asked to stop, which only a cancel does. They end as cancelled
    /// unless they complete first.
    pub asked: u64,
    /// How many jobs the action came too late for: they ended, started or were pruned in between.
    pub unchanged: u64,
}

impl BulkTotals {
    fn add(&mut self, action: Action, page: &[Changed]) {
        for job in page {
            self.matched += 1;
            match (action, job.status) {
                (Action::Cancel, Some(Status::Cancelled))
                | (Action::Retry, Some(Status::Pending))
                | (Action::Delete, None) => self.changed += 1,
                // the request to cancel stands, also for a job that is about to start
                (Action::Cancel, Some(status)) if !status.is_final() => self.asked += 1,
                _ => self.unchanged += 1,
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Cancel,
    Retry,
    Delete,
}

impl Client {
    /// Narrows a filter to the jobs that are there now: a job that is dispatched later does not
    /// match, and one that is too young now does not grow old enough. So what is counted with it is
    /// not less than what is cancelled with it later.
    ///
    /// # Errors
    /// As [`Client::jobs`].
    pub async fn until_now(&self, filter: &JobFilter) -> Result<JobFilter> {
        filter.check()?;
        let now = self.clock().await?.duration_since(UNIX_EPOCH).unwrap_or_default();
        let until = now.saturating_sub(filter.older_than.unwrap_or_default());
        // ids begin with the millisecond, and those of this millisecond count too
        let until = u64::try_from(until.as_millis()).unwrap_or(u64::MAX - 1) + 1;
        let bound = uuid::Builder::from_unix_timestamp_millis(until, &[0; 10]).into_uuid();
        let before = filter.before.map_or(bound, |before: Uuid| before.min(bound));
        Ok(filter.clone().before(before))
    }

    /// Counts the jobs that match, up to 100,000 of them. It costs as much as a list of all of
    /// these; see [`Client::jobs`].
    ///
    /// # Errors
    /// As [`Client::jobs`].
    pub async fn count_jobs(&self, filter: &JobFilter) -> Result<Count> {
        filter.check()?;
        let sent = filter.sent();
        let bounds: [Value<'_>; 2] = [&filter.before, &COUNT_UP_TO];
        let row = self.row(&COUNT, &[&sent.values()[..], &bounds].concat()).await?;
        let jobs: i32 = row.try_get("jobs")?;
        Ok(Count { jobs: u64::from(jobs.unsigned_abs()), more: row.try_get("more")? })
    }

    /// Counts the jobs that [`Client::cancel_where`] would try to cancel.
    ///
    /// # Errors
    /// As [`Client::cancel_where`].
    pub async fn count_cancellable(&self, filter: &JobFilter) -> Result<Count> {
        self.count_each(filter, cancellable(filter)?).await
    }

    /// Counts the jobs that [`Client::retry_where`] would run again.
    ///
    /// # Errors
    /// As [`Client::retry_where`].
    pub async fn count_retryable(&self, filter: &JobFilter) -> Result<Count> {
        self.count_each(filter, retryable(filter)?).await
    }

    /// Counts the jobs that [`Client::delete_where`] would delete.
    ///
    /// # Errors
    /// As [`Client::delete_where`].
    pub async fn count_deletable(&self, filter: &JobFilter) -> Result<Count> {
        self.count_each(filter, deletable(filter)?).await
    }

    async fn count_each(&self, filter: &JobFilter, statuses: Vec<Status>) -> Result<Count> {
        let mut sum = Count::default();
        for status in statuses {
            let count = self.count_jobs(&filter.clone().status(status)).await?;
            sum = Count { jobs: sum.jobs + count.jobs, more: sum.more || count.more };
        }
        Ok(sum)
    }

    /// Cancels all jobs that match, a page of at most 1,000 at a time, newest first. Each page is a
    /// transaction of its own, and `on_page` gets the totals so far after each. Without a status it
    /// cancels everything that has not ended: what is scheduled, what waits, and what runs. A job
    /// that moved meanwhile (retried, snoozed, given back) is met in another round. A job that is
    /// dispatched meanwhile is not cancelled; [`Client::until_now`] does the same for the time
    /// between a count and this call.
    ///
    /// ```no_run
    /// # async fn example(client: fairclaim::Client) -> Result<(), fairclaim::Error> {
    /// use fairclaim::{JobFilter, Tenant};
    ///
    /// let filter = JobFilter::new().tenant(Tenant::named("acme")?).job_type("send_mail");
    /// let filter = client.until_now(&filter).await?;
    /// println!("{} jobs", client.count_cancellable(&filter).await?.jobs);
    /// let totals = client.cancel_where(&filter, |_| ()).await?;
    /// println!("{} cancelled, {} asked to stop", totals.changed, totals.asked);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for a status of jobs that
    /// have ended, and as [`Client::jobs`]. The pages before an error stay done.
    pub async fn cancel_where(
        &self,
        filter: &JobFilter,
        on_page: impl FnMut(&BulkTotals),
    ) -> Result<BulkTotals> {
        self.change_where(filter, cancellable(filter)?, Action::Cancel, on_page).await
    }

    /// Runs all jobs that match again, page by page as [`Client::cancel_where`] cancels. Without a
    /// status it runs those that failed. With one it also runs cancelled and completed jobs again,
    /// and makes scheduled ones due now.
    ///
    /// # Errors
    /// As [`Client::cancel_where`];
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for a status of jobs that
    /// wait or run.
    pub async fn retry_where(
        &self,
        filter: &JobFilter,
        on_page: impl FnMut(&BulkTotals),
    ) -> Result<BulkTotals> {
        self.change_where(filter, retryable(filter)?, Action::Retry, on_page).await
    }

    /// Deletes all jobs that match, with their results, errors and history, page by page as
    /// [`Client::cancel_where`] cancels. Without a status it deletes those that have ended; with
    /// one, also scheduled or pending jobs. After each page it rests for as long as the page took,
    /// so that it takes at most half of one connection's time.
    ///
    /// # Errors
    /// As [`Client::cancel_where`];
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for running jobs, which
    /// cannot be deleted.
    pub async fn delete_where(
        &self,
        filter: &JobFilter,
        on_page: impl FnMut(&BulkTotals),
    ) -> Result<BulkTotals> {
        self.change_where(filter, deletable(filter)?, Action::Delete, on_page).await
    }

    async fn change_where(
        &self,
        filter: &JobFilter,
        statuses: Vec<Status>,
        action: Action,
        mut on_page: impl FnMut(&BulkTotals),
    ) -> Result<BulkTotals> {
        let mut totals = BulkTotals::default();
        let filter = self.until_now(filter).await?;
        // a job that waits or runs may move on past a cancel; one that has ended stays where it is
        let rounds = if action == Action::Cancel && statuses.len() > 1 { ROUNDS } else { 1 };
        let mut asked = HashSet::new();
        for _ in 0..rounds {
            let before = totals.matched;
            for status in &statuses {
                let mut page = filter.clone().status(*status).limit(filter.limit.unwrap_or(PAGE));
                loop {
                    let began = Instant::now();
                    let found = self.jobs(&page).await?;
                    let changed =
                        self.change_page(action, filter.tenant.clone(), &found, &mut asked).await?;
                    totals.add(action, &changed);
                    on_page(&totals);
                    let Some(next) = found.next else { break };
                    page.before = Some(next);
                    if action == Action::Delete {
                        tokio::time::sleep(began.elapsed()).await;
                    }
                }
            }
            if totals.matched == before {
                break;
            }
        }
        Ok(totals)
    }

    /// Changes the jobs of a page, but not those that were asked to stop before and run on.
    async fn change_page(
        &self,
        action: Action,
        tenant: Option<Tenant>,
        page: &JobPage,
        asked: &mut HashSet<Uuid>,
    ) -> Result<Vec<Changed>> {
        let ids = page.jobs.iter().map(|job| job.id);
        let ids: Vec<Uuid> = ids.filter(|id| !asked.contains(id)).collect();
        let changed = match action {
            Action::Cancel => self.cancel(tenant, &ids).await?,
            Action::Retry => self.retry(tenant, &ids).await?,
            Action::Delete => {
                let left = |job: Deleted| job.status.filter(|_| !job.deleted);
                let answers = self.delete(tenant, &ids).await?.into_iter();
                return Ok(answers.map(|job| Changed { id: job.id, status: left(job) }).collect());
            }
        };
        let unfinished = |job: &&Changed| job.status.is_some_and(|status| !status.is_final());
        asked.extend(changed.iter().filter(unfinished).map(|job| job.id));
        Ok(changed)
    }
}

/// Lists the statuses to cancel, in the order of a job's life. So a job that goes on in between is
/// met again, and one that goes back is met in the next round.
fn cancellable(filter: &JobFilter) -> Result<Vec<Status>> {
    match filter.status {
        None => Ok(vec![Status::Scheduled, Status::Pending, Status::Processing]),
        Some(status) if status.is_final() => Err(Error::invalid_argument(
            "status",
            "must be scheduled, pending or processing: jobs that have ended cannot be cancelled",
        )),
        Some(status) => Ok(vec![status]),
    }
}

fn retryable(filter: &JobFilter) -> Result<Vec<Status>> {
    match filter.status {
        None => Ok(vec![Status::Failed]),
        Some(Status::Pending | Status::Processing) => Err(Error::invalid_argument(
            "status",
            "must be failed, cancelled, completed or scheduled: jobs that wait or run need no \
             retry",
        )),
        Some(status) => Ok(vec![status]),
    }
}

fn deletable(filter: &JobFilter) -> Result<Vec<Status>> {
    match filter.status {
        None => Ok(vec![Status::Completed, Status::Failed, Status::Cancelled]),
        Some(Status::Processing) => Err(Error::invalid_argument(
            "status",
            "must be scheduled, pending, completed, failed or cancelled: cancel jobs that run, \
             and delete them when they have ended",
        )),
        Some(status) => Ok(vec![status]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn totals_say_what_became_of_each_job() {
        let page = |statuses: &[Option<Status>]| -> Vec<Changed> {
            statuses.iter().map(|&status| Changed { id: Uuid::nil(), status }).collect()
        };
        let mut totals = BulkTotals::default();
        let answers =
            [Some(Status::Cancelled), Some(Status::Processing), Some(Status::Completed), None];
        totals.add(Action::Cancel, &page(&answers));
        assert_eq!(totals, BulkTotals { matched: 4, changed: 1, asked: 1, unchanged: 2 });
        let mut totals = BulkTotals::default();
        totals.add(Action::Retry, &page(&[Some(Status::Pending), Some(Status::Processing)]));
        assert_eq!(totals, BulkTotals { matched: 2, changed: 1, asked: 0, unchanged: 1 });
        let mut totals = BulkTotals::default();
        totals.add(Action::Delete, &page(&[None, None, Some(Status::Processing)]));
        assert_eq!(totals, BulkTotals { matched: 3, changed: 2, asked: 0, unchanged: 1 });
    }

    #[test]
    fn an_action_is_refused_for_a_status_that_it_cannot_change() {
        for status in Status::ALL {
            let filter = JobFilter::new().status(status);
            assert_eq!(cancellable(&filter).is_ok(), !status.is_final(), "cancel {status}");
            let waits_or_runs = matches!(status, Status::Pending | Status::Processing);
            assert_eq!(retryable(&filter).is_ok(), !waits_or_runs, "retry {status}");
            assert_eq!(deletable(&filter).is_ok(), status != Status::Processing, "delete {status}");
        }
    }
}
