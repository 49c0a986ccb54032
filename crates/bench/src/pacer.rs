//! Jobs at a fixed rate, one dispatch each: an open loop, so that a slow database makes waits
//! longer instead of making the load lighter.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio_util::sync::CancellationToken;

use crate::crew::Crew;
use crate::load::{DISPATCH, tenant, type_name};
use crate::spread::Samples;
use crate::target::{Session, Site};

/// How the load is spread.
#[derive(Debug, Clone)]
pub(crate) struct Pace {
    /// Where the jobs go.
    pub(crate) queue: String,
    /// How many tenants there are, from the first; each sends in turn.
    pub(crate) tenants: u64,
    /// How many types the jobs have in turn.
    pub(crate) types: u64,
    /// Jobs a second of all of them.
    pub(crate) rate: f64,
    pub(crate) connections: usize,
}

/// The running dispatchers.
#[derive(Debug)]
pub(crate) struct Pacer(Crew<Vec<Dispatched>>);

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

impl Pace {
    /// Jobs of one type into the site's queue.
    pub(crate) fn new(site: &Site, tenants: u64, rate: f64, connections: usize) -> Self {
        Self { queue: site.queue.clone(), tenants, types: 1, rate, connections }
    }
}

impl Pacer {
    pub(crate) async fn start(site: &Site, pace: Pace) -> Result<Self> {
        let sessions = site.sessions(pace.connections).await?;
        let start = Instant::now();
        Ok(Self(Crew::start((0..).zip(sessions), |(offset, session), stop| {
            dispatch_on_time(session, pace.clone(), start, offset, stop)
        })))
    }

    /// Lets every dispatcher end the dispatch that it is at.
    pub(crate) async fn stop(self) -> Result<Paced> {
        let dispatched: Vec<Dispatched> = self.0.stop().await?.into_iter().flatten().collect();
        let late = Samples::of(dispatched.iter().map(|job| job.late).collect());
        Ok(Paced { late, commits: dispatched.into_iter().map(|job| job.commit).collect() })
    }
}

/// One dispatcher: every job of its own whose time has come.
async fn dispatch_on_time(
    session: Session,
    pace: Pace,
    start: Instant,
    offset: u64,
    stop: CancellationToken,
) -> Result<Vec<Dispatched>> {
    let statement = session.prepare(DISPATCH).await?;
    let mut dispatched = Vec::new();
    for job in (offset..).step_by(pace.connections) {
        let due = start + Duration::from_secs_f64(job as f64 / pace.rate);
        if stop.run_until_cancelled(tokio::time::sleep_until(due.into())).await.is_none() {
            break;
        }
        let late = due.elapsed().as_secs_f64() * 1e3;
        let who = tenant(1 + job % pace.tenants);
        let (kind, began) = (type_name(job, pace.types), own_micros());
        session.query_one(&statement, &[&who, &kind, &stamped(began), &pace.queue]).await?;
        dispatched.push(Dispatched { late, commit: Commit { job: began, at: micros() } });
    }
    // this connection stays open; without that its last transactions would be counted late
    session.batch_execute("select pg_stat_force_next_flush()").await?;
    Ok(dispatched)
}
