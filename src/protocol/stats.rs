//! Figures of tenants and queues, and why a job waits.

use serde::Serialize;
use serde_json::Value;
use tokio_postgres::{Row, types::Json};

use crate::{
    error::{Error, Result},
    protocol::tenant::Tenant,
};

/// What happened in a window that ends now. Counts are estimates where much happened.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Flow {
    /// Jobs that were dispatched.
    pub dispatched: f64,
    /// Attempts that ended, and by how much the running jobs grew.
    pub claimed: f64,
    /// Jobs that ended.
    pub finished: f64,
    /// How many of them failed.
    pub failed: f64,
    /// Seconds of service.
    pub seconds: f64,
}

impl Flow {
    fn read(row: &Row, window: &str) -> Result<Self> {
        let column = |name: &str| row.try_get(format!("{name}_{window}").as_str());
        Ok(Self {
            dispatched: column("dispatched")?,
            claimed: column("claimed")?,
            finished: column("finished")?,
            failed: column("failed")?,
            seconds: column("seconds")?,
        })
    }
}

/// How long the jobs that ended last had waited and run, in seconds. Both can be wrong by 5 s.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Spans {
    /// Half of them waited no longer, from due to begun.
    pub wait_p50: Option<f64>,
    /// Of a hundred, 99 waited no longer.
    pub wait_p99: Option<f64>,
    /// Half of them ran no longer.
    pub run_p50: Option<f64>,
    /// Of a hundred, 99 ran no longer.
    pub run_p99: Option<f64>,
    /// Of how many jobs that is.
    pub sampled: i32,
}

impl Spans {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            wait_p50: row.try_get("wait_p50")?,
            wait_p99: row.try_get("wait_p99")?,
            run_p50: row.try_get("run_p50")?,
            run_p99: row.try_get("run_p99")?,
            sampled: row.try_get("sampled")?,
        })
    }
}

/// What a tenant has in a queue: one row of [`Client::tenant_stats`](crate::Client::tenant_stats).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TenantStats {
    /// The tenant.
    pub tenant_id: Tenant,
    /// What it is called; none where no job was dispatched for it by name.
    pub tenant: Option<String>,
    /// The queue.
    pub queue: String,
    /// Its weight there.
    pub weight: i32,
    /// How many of its jobs wait.
    pub waiting: i32,
    /// Whether there are more than that.
    pub at_least: bool,
    /// For how many seconds the oldest of those first in line has waited.
    pub oldest_waiting: Option<f64>,
    /// Whether it has jobs in a lane of its own.
    pub backlogged: bool,
    /// How many of its jobs run.
    pub running: i32,
    /// What bounds its running jobs: a list of objects.
    pub limits: Value,
    /// The last minute.
    pub minute: Flow,
    /// The last hour.
    pub hour: Flow,
    /// Waits and runs.
    #[serde(flatten)]
    pub spans: Spans,
    /// Its part of the claims of the last minute, among those that had a backlog all the time.
    pub share_1m: Option<f64>,
    /// Its part of their weights.
    pub fair_share_1m: Option<f64>,
    /// The same for the last hour.
    pub share_1h: Option<f64>,
    /// Its part of their weights.
    pub fair_share_1h: Option<f64>,
    /// How many seconds ago the row has changed; none when it never has.
    pub age: Option<f64>,
}

impl TenantStats {
    pub(crate) fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            tenant_id: Tenant::from(row.try_get::<_, uuid::Uuid>("tenant_id")?),
            tenant: row.try_get("tenant")?,
            queue: row.try_get("queue")?,
            weight: row.try_get("weight")?,
            waiting: row.try_get("waiting")?,
            at_least: row.try_get("at_least")?,
            oldest_waiting: row.try_get("oldest_waiting")?,
            backlogged: row.try_get("backlogged")?,
            running: row.try_get("running")?,
            limits: row.try_get::<_, Json<Value>>("limits")?.0,
            minute: Flow::read(row, "1m")?,
            hour: Flow::read(row, "1h")?,
            spans: Spans::read(row)?,
            share_1m: row.try_get("share_1m")?,
            fair_share_1m: row.try_get("fair_share_1m")?,
            share_1h: row.try_get("share_1h")?,
            fair_share_1h: row.try_get("fair_share_1h")?,
            age: row.try_get("age")?,
        })
    }
}

/// One page of [`Client::tenant_stats`](crate::Client::tenant_stats).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TenantStatsPage {
    /// The rows, in the order that was asked for.
    pub tenants: Vec<TenantStats>,
    /// What [`TenantStatsFilter::after`] is for the next page; none when this is the last one.
    pub next: Option<String>,
}

/// Which tenants are meant, and in which order. The default is all of them, by queue and id.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TenantStatsFilter {
    /// Only this one.
    pub tenant: Option<Tenant>,
    /// Only in this queue.
    pub queue: Option<String>,
    /// Only those whose name has this text.
    pub search: Option<String>,
    /// `tenant`, or a figure, the largest first: `waiting`, `oldest`, `running`, `dispatched`,
    /// `claimed`, `finished`, `failed` or `seconds`.
    pub sort: Option<String>,
    /// How many rows a page has, 1 to 1,000; 100 where nothing is said.
    pub limit: Option<i32>,
    /// Where to go on: [`TenantStatsPage::next`].
    pub after: Option<String>,
}

/// What a queue has: one row of [`Client::queue_stats`](crate::Client::queue_stats).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct QueueStats {
    /// Its name.
    pub queue: String,
    /// Whether it is paused.
    pub paused: bool,
    /// How many jobs wait.
    pub waiting: i32,
    /// Of how many tenants.
    pub tenants_waiting: i32,
    /// For how many seconds the oldest of those first in line has waited.
    pub oldest_waiting: Option<f64>,
    /// How many jobs are delayed, snoozed or to be retried.
    pub scheduled: i32,
    /// How many jobs run.
    pub running: i32,
    /// The names of those numbers that are lower bounds.
    pub at_least: Vec<String>,
    /// What bounds its running jobs: a list of objects.
    pub limits: Value,
    /// The last minute.
    pub minute: Flow,
    /// The last hour.
    pub hour: Flow,
    /// Waits and runs.
    #[serde(flatten)]
    pub spans: Spans,
    /// How many tenants had a backlog for the whole last minute.
    pub backlogged_1m: i32,
    /// Jain's index of what they got by their weights, in claims.
    pub jain_claims_1m: Option<f64>,
    /// The same in seconds of service.
    pub jain_seconds_1m: Option<f64>,
    /// How many tenants had a backlog for the whole last hour.
    pub backlogged_1h: i32,
    /// Jain's index of what they got by their weights, in claims.
    pub jain_claims_1h: Option<f64>,
    /// The same in seconds of service.
    pub jain_seconds_1h: Option<f64>,
    /// How many seconds ago a refresh told of this queue; none when none has.
    pub age: Option<f64>,
}

impl QueueStats {
    pub(crate) fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            queue: row.try_get("queue")?,
            paused: row.try_get("paused")?,
            waiting: row.try_get("waiting")?,
            tenants_waiting: row.try_get("tenants_waiting")?,
            oldest_waiting: row.try_get("oldest_waiting")?,
            scheduled: row.try_get("scheduled")?,
            running: row.try_get("running")?,
            at_least: row.try_get("at_least")?,
            limits: row.try_get::<_, Json<Value>>("limits")?.0,
            minute: Flow::read(row, "1m")?,
            hour: Flow::read(row, "1h")?,
            spans: Spans::read(row)?,
            backlogged_1m: row.try_get("backlogged_1m")?,
            jain_claims_1m: row.try_get("jain_claims_1m")?,
            jain_seconds_1m: row.try_get("jain_seconds_1m")?,
            backlogged_1h: row.try_get("backlogged_1h")?,
            jain_claims_1h: row.try_get("jain_claims_1h")?,
            jain_seconds_1h: row.try_get("jain_seconds_1h")?,
            age: row.try_get("age")?,
        })
    }
}

/// One reason for which a job waits, of [`Client::why_waiting`](crate::Client::why_waiting).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct WhyWaiting {
    /// `behind`, `scheduled`, `queue_paused`, `tenant_limit` and so on. Later versions have more.
    pub reason: String,
    /// The same in words.
    pub detail: String,
    /// The job's queue.
    pub queue: String,
    /// The job's type.
    #[serde(rename = "type")]
    pub job_type: String,
    /// How many jobs go before it.
    pub position: Option<i32>,
    /// Whether there are more than that.
    pub at_least: bool,
    /// In how many seconds it is due, or is expected to begin.
    pub due_in: Option<f64>,
    /// Which limit holds it.
    pub limit_kind: Option<String>,
    /// How many jobs may run under that limit.
    pub max_running: Option<i32>,
    /// How many do.
    pub running: Option<i32>,
}

impl WhyWaiting {
    pub(crate) fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            reason: row.try_get("reason")?,
            detail: row.try_get("detail")?,
            queue: row.try_get("queue")?,
            job_type: row.try_get("type")?,
            position: row.try_get("position")?,
            at_least: row.try_get("at_least")?,
            due_in: row.try_get("due_in")?,
            limit_kind: row.try_get("limit_kind")?,
            max_running: row.try_get("max_running")?,
            running: row.try_get("running")?,
        })
    }
}

/// Refuses texts that the database cannot hold.
pub(crate) fn check_texts(texts: &[(&'static str, Option<&str>)]) -> Result<()> {
    for (field, text) in texts {
        if text.is_some_and(|text| text.contains('\0')) {
            return Err(Error::invalid_argument(field, "must not hold a NUL"));
        }
    }
    Ok(())
}
