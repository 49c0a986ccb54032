//! Jobs at a fixed rate, one dispatch each: an open loop, so that a slow database makes waits longer
//! instead of making the load lighter.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::load::{TYPE, tenant};
use super::place::Site;
use super::spread::Samples;

/// How the load is spread.
#[derive(Debug, Clone)]
pub(crate) struct Pace {
    /// Where the jobs go.
    pub(crate) queue: String,
    /// The number of the first tenant, and how many there are; each sends in turn.
    pub(crate) first_tenant: u64,
    pub(crate) tenants: u64,
    /// Jobs a second of all of them.
    pub(crate) rate: f64,
    pub(crate) connections: u64,
}

/// The running dispatchers.
#[derive(Debug)]
pub(crate) struct Pacer {
    tasks: JoinSet<anyhow::Result<Vec<f64>>>,
    stop: DropGuard,
}

/// Microseconds since this process first asked, on the monotonic clock.
pub(crate) fn micros() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    u64::try_from(START.get_or_init(Instant::now).elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// When a paced job's dispatch began, if the payload is one of those.
pub(crate) fn began(payload: &serde_json::Value) -> Option<u64> {
    payload.get("at")?.as_u64()
}

impl Pacer {
    pub(crate) async fn start(site: &Site, pace: &Pace) -> anyhow::Result<Self> {
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
                let mut late = Vec::new();
                for job in (offset..).step_by(usize::try_from(pace.connections)?) {
                    let due = start + Duration::from_secs_f64(job as f64 / pace.rate);
                    let pause = tokio::time::sleep_until(due.into());
                    if stopped.run_until_cancelled(pause).await.is_none() {
                        break;
                    }
                    late.push(due.elapsed().as_secs_f64() * 1e3);
                    let who = tenant(pace.first_tenant + job % pace.tenants);
                    let payload = format!(r#"{{"at": {}}}"#, micros());
                    session.query_one(&statement, &[&who, &TYPE, &payload, &pace.queue]).await?;
                }
                Ok(late)
            });
        }
        Ok(Self { tasks, stop: stop.drop_guard() })
    }

    /// How late each dispatch began, in milliseconds: when that grows, the generator is what was
    /// measured.
    pub(crate) async fn stop(mut self) -> anyhow::Result<Samples> {
        drop(self.stop);
        let mut late = Vec::new();
        while let Some(done) = self.tasks.join_next().await {
            late.extend(done??);
        }
        Ok(Samples::of(late))
    }
}
