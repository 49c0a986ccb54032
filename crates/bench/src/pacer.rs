//! Jobs at a fixed rate, one dispatch each: an open loop, so that a slow database makes waits
//! longer instead of making the load lighter.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::load::{tenant, type_name};
use crate::spread::Samples;
use crate::target::Site;

/// How the load is spread.
#[derive(Debug, Clone)]
pub(crate) struct Pace {
    /// Where the jobs go.
    pub(crate) queue: String,
    /// The number of the first tenant, and how many there are; each sends in turn.
    pub(crate) first_tenant: u64,
    pub(crate) tenants: u64,
    /// How many types the jobs have in turn.
    pub(crate) types: u64,
    /// Jobs a second of all of them.
    pub(crate) rate: f64,
    pub(crate) connections: u64,
}

/// The running dispatchers.
#[derive(Debug)]
pub(crate) struct Pacer {
    tasks: JoinSet<Result<Vec<Dispatched>>>,
    stop: DropGuard,
}

/// One job that went in.
#[derive(Debug)]
struct Dispatched {
    /// How late its dispatch began, in milliseconds.
    late: f64,
    commit: Commit,
}

/// A job by the microsecond that its payload bears, and the one at which its commit had returned.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Commit {
    pub(crate) job: u64,
    pub(crate) at: u64,
}

/// What the dispatchers did.
#[derive(Debug)]
pub(crate) struct Paced {
    /// How late each dispatch began, in milliseconds: when that grows, the generator is what was
    /// measured.
    pub(crate) late: Samples,
    pub(crate) commits: Vec<Commit>,
}

/// Microseconds since this process first asked, on the monotonic clock.
pub(crate) fn micros() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    u64::try_from(START.get_or_init(Instant::now).elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// The same, and never the same one twice, so that it names a job too.
pub(crate) fn own_micros() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let now = micros();
    let later_than = |last: u64| now.max(last + 1);
    match LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(later_than(last))) {
        Ok(last) | Err(last) => later_than(last),
    }
}

/// The payload of a job whose dispatch begins at such a microsecond.
pub(crate) fn stamped(at: u64) -> String {
    format!(r#"{{"at": {at}}}"#)
}

/// When a paced job's dispatch began, if the payload is one of those.
pub(crate) fn began(payload: &serde_json::Value) -> Option<u64> {
    payload.get("at")?.as_u64()
}

impl Pacer {
    pub(crate) async fn start(site: &Site, pace: &Pace) -> Result<Self> {
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        let mut sessions = Vec::new();
        for _ in 0..pace.connections {
            sessions.push(site.session().await?);
        }
        let start = Instant::now();
        for (offset, session) in (0..).zip(sessions) {
            let (pace, stopped) = (pace.clone(), stop.clone());
            tasks.spawn(async move {
                let text = "select fairclaim.dispatch_job($1, $2, $3::text::jsonb, $4)";
                let statement = session.prepare(text).await?;
                let mut dispatched = Vec::new();
                for job in (offset..).step_by(usize::try_from(pace.connections)?) {
                    let due = start + Duration::from_secs_f64(job as f64 / pace.rate);
                    let pause = tokio::time::sleep_until(due.into());
                    if stopped.run_until_cancelled(pause).await.is_none() {
                        break;
                    }
                    let late = due.elapsed().as_secs_f64() * 1e3;
                    let who = tenant(pace.first_tenant + job % pace.tenants);
                    let (kind, began) = (type_name(job, pace.types), own_micros());
                    let payload = stamped(began);
                    session.query_one(&statement, &[&who, &kind, &payload, &pace.queue]).await?;
                    dispatched
                        .push(Dispatched { late, commit: Commit { job: began, at: micros() } });
                }
                // this connection stays open; without that its last transactions would be counted
                // late
                session.batch_execute("select pg_stat_force_next_flush()").await?;
                Ok(dispatched)
            });
        }
        Ok(Self { tasks, stop: stop.drop_guard() })
    }

    /// Lets every dispatcher end the dispatch that it is at.
    pub(crate) async fn stop(mut self) -> Result<Paced> {
        drop(self.stop);
        let mut dispatched = Vec::new();
        while let Some(done) = self.tasks.join_next().await {
            dispatched.extend(done??);
        }
        let late = Samples::of(dispatched.iter().map(|job| job.late).collect());
        Ok(Paced { late, commits: dispatched.into_iter().map(|job| job.commit).collect() })
    }
}
