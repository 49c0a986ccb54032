//! The queues as operators see them: what waits in each, and which are paused.

use std::time::{Duration, SystemTime};

use serde::Serialize;
use tokio_postgres::Row;

use crate::{
    client::Client,
    error::{Error, Result},
    protocol::statements::{PAUSE_QUEUE, QUEUES, RESUME_QUEUE, SET_QUEUE_FAIR_BY, Statement},
};

/// One queue of [`Client::queues`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct QueueRow {
    /// Its name.
    pub queue: String,
    /// Since when claims give none of its jobs; none when it is not paused.
    #[serde(serialize_with = "crate::protocol::timestamp::serialize_option")]
    pub paused_at: Option<SystemTime>,
    /// How many jobs wait for a worker.
    pub waiting: i32,
    /// How many tenants these jobs belong to.
    pub tenants_waiting: i32,
    /// When the oldest of the jobs that are first in line was dispatched.
    #[serde(serialize_with = "crate::protocol::timestamp::serialize_option")]
    pub oldest_waiting_at: Option<SystemTime>,
    /// How long ago that was by the clock of the database.
    #[serde(
        rename = "oldest_waiting_seconds",
        serialize_with = "crate::protocol::timestamp::serialize_seconds"
    )]
    pub oldest_waiting: Option<Duration>,
    /// How many jobs are delayed, snoozed or to be retried.
    pub scheduled: i32,
    /// How many jobs run.
    pub running: i32,
    /// The names of those numbers that are lower bounds, since counting stops at 10,000.
    pub at_least: Vec<String>,
    /// Since when it takes no new jobs; none when it takes them.
    #[serde(serialize_with = "crate::protocol::timestamp::serialize_option")]
    pub drained_at: Option<SystemTime>,
    /// By what tenants with a backlog share it.
    pub fair_by: FairBy,
}

/// By what tenants with a backlog share a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum FairBy {
    /// As many claims as their weights say, however long the jobs run.
    #[default]
    Claims,
    /// As much time of handlers as their weights say.
    Seconds,
}

impl FairBy {
    /// The word that the database has for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Claims => "claims",
            Self::Seconds => "seconds",
        }
    }

    fn read(row: &Row, column: &str) -> Result<Self> {
        let word: &str = row.try_get(column)?;
        Ok(if word == Self::Seconds.as_str() { Self::Seconds } else { Self::Claims })
    }
}

/// What [`Client::set_queue_fair_by`] found and did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct QueueFairness {
    /// The name of the queue.
    pub queue: String,
    /// By what it is fair from now on.
    pub fair_by: FairBy,
    /// By what it was fair until now.
    pub was_fair_by: FairBy,
    /// Whether jobs wait in it, or have waited within the last hour. A misspelt name shows by this.
    pub in_use: bool,
}

/// What a pause or a resume found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct QueueChange {
    /// The name of the queue.
    pub queue: String,
    /// Since when it is paused; none when it is not.
    #[serde(serialize_with = "crate::protocol::timestamp::serialize_option")]
    pub paused_at: Option<SystemTime>,
    /// Whether it was paused before.
    pub was_paused: bool,
    /// Whether jobs wait in it, or have waited within the last hour. A misspelt name shows by this.
    pub in_use: bool,
}

impl Client {
    /// Lists the queues that are in use, paused or drained, by name. Each number counts up to 10,000 jobs,
    /// and none that has ended.
    ///
    /// # Errors
    /// [`ErrorKind::PrivilegeMissing`](crate::ErrorKind::PrivilegeMissing) for a login that is no
    /// operator.
    pub async fn queues(&self) -> Result<Vec<QueueRow>> {
        self.rows(&QUEUES, &[]).await?.iter().map(queue_row).collect()
    }

    /// Stops a queue: claims that begin after this give none of its jobs. Dispatch and running jobs
    /// go on.
    ///
    /// A queue exists by use, so any name may be paused; [`QueueChange::in_use`] tells a misspelt
    /// one.
    ///
    /// ```no_run
    /// # async fn example(client: fairclaim::Client) -> Result<(), fairclaim::Error> {
    /// let change = client.pause_queue("mail").await?;
    /// assert!(change.in_use, "no job has waited in a queue of that name");
    /// client.resume_queue("mail").await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for a text that cannot be
    /// a queue's name, [`ErrorKind::PrivilegeMissing`](crate::ErrorKind::PrivilegeMissing) for a
    /// login that is no operator.
    pub async fn pause_queue(&self, queue: &str) -> Result<QueueChange> {
        self.change_queue(&PAUSE_QUEUE, queue).await
    }

    /// Lets claims have the jobs of a paused queue again, and wakes the workers.
    ///
    /// # Errors
    /// As [`Client::pause_queue`].
    pub async fn resume_queue(&self, queue: &str) -> Result<QueueChange> {
        self.change_queue(&RESUME_QUEUE, queue).await
    }

    /// Says by what tenants with a backlog share a queue: by claims, which it is at first, or by
    /// the seconds that their handlers take, where jobs of some tenants run for longer than those
    /// of others. Workers learn the run times within seconds.
    ///
    /// # Errors
    /// As [`Client::pause_queue`].
    pub async fn set_queue_fair_by(&self, queue: &str, fair_by: FairBy) -> Result<QueueFairness> {
        refuse_nul(queue)?;
        let row = self.row(&SET_QUEUE_FAIR_BY, &[&queue, &fair_by.as_str()]).await?;
        Ok(QueueFairness {
            queue: row.try_get("queue")?,
            fair_by: FairBy::read(&row, "fair_by")?,
            was_fair_by: FairBy::read(&row, "was_fair_by")?,
            in_use: row.try_get("in_use")?,
        })
    }

    async fn change_queue(&self, statement: &Statement, queue: &str) -> Result<QueueChange> {
        refuse_nul(queue)?;
        let row = self.row(statement, &[&queue]).await?;
        Ok(QueueChange {
            queue: row.try_get("queue")?,
            paused_at: row.try_get("paused_at")?,
            was_paused: row.try_get("was_paused")?,
            in_use: row.try_get("in_use")?,
        })
    }
}

/// A name that the driver could not send.
fn refuse_nul(queue: &str) -> Result<()> {
    if queue.contains('\0') {
        return Err(Error::invalid_argument("queue", "must not hold a NUL"));
    }
    Ok(())
}

fn queue_row(row: &Row) -> Result<QueueRow> {
    let oldest: Option<f64> = row.try_get("oldest_seconds")?;
    Ok(QueueRow {
        queue: row.try_get("queue")?,
        paused_at: row.try_get("paused_at")?,
        waiting: row.try_get("waiting")?,
        tenants_waiting: row.try_get("tenants_waiting")?,
        oldest_waiting_at: row.try_get("oldest_waiting_at")?,
        oldest_waiting: oldest.map(|age| Duration::try_from_secs_f64(age).unwrap_or_default()),
        scheduled: row.try_get("scheduled")?,
        running: row.try_get("running")?,
        at_least: row.try_get("at_least")?,
        drained_at: row.try_get("drained_at")?,
        fair_by: FairBy::read(row, "fair_by")?,
    })
}
