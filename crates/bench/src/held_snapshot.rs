//! `bench held-snapshot`: jobs pass while an open snapshot keeps every row they leave behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::claimer::Claimer;
use crate::flags::{Common, within};
use crate::held::Held;
use crate::load::{Batch, load, tenant};
use crate::progress::progress;
use crate::report::Report;
use crate::spread::ratio;
use crate::target::{Site, Target};
use crate::ticker::Ticker;

#[derive(Debug, Clone, Args, Serialize)]
pub(crate) struct HeldSnapshotFlags {
    /// What waits
    #[arg(value_enum, default_values_t = [Shape::Deep, Shape::Dry, Shape::Shared])]
    shapes: Vec<Shape>,
    /// How many jobs pass while the snapshot is held
    #[arg(long, value_name = "N", default_value = "200000", default_value_if("quick", "true", "4000"), value_parser = within::<u64>(1..=1_000_000_000))]
    pass: u64,
    /// Connections that claim and settle
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = within::<usize>(1..=64))]
    connections: usize,
    /// Jobs a claim takes
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = within::<i32>(1..=1_000))]
    claim: i32,
    /// Length of a window
    #[arg(long, value_name = "MS", default_value = "1000", default_value_if("quick", "true", "50"), value_parser = within::<u64>(1..=3_600_000))]
    window_ms: u64,
}

/// What waits when the snapshot is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Shape {
    /// One deep tenant and 400 with 1,000 each
    Deep,
    /// One deep tenant and 400 with 500 each, which run dry on the way
    Dry,
    /// 25,000 tenants with 8 each, all in the shared lane
    Shared,
}

impl Shape {
    /// The jobs that wait when the clock starts: enough for the windows before the snapshot too.
    fn batches(self, pass: u64) -> Vec<Batch> {
        let part = usize::try_from(pass / 200).unwrap_or(usize::MAX).max(1);
        match self {
            Self::Deep => Self::one_and_many(part, 400, 1_000),
            Self::Dry => Self::one_and_many(part, 400, 500),
            // half as much again passes before the snapshot
            Self::Shared => (0..pass / 8 * 8 / 5)
                .collect::<Vec<u64>>()
                .chunks(125)
                .map(|some| some.iter().flat_map(|&who| [tenant(who); 8]).collect())
                .collect(),
        }
    }

    /// One tenant with 1.5 times what passes, `many` with `each` × `part` / 1,000.
    fn one_and_many(part: usize, many: u64, each: usize) -> Vec<Batch> {
        let mut batches = vec![vec![tenant(0); part]; 300];
        batches.extend((1..=many).map(|who| vec![tenant(who); (each * part / 1_000).max(1)]));
        batches
    }
}

pub(crate) async fn run(
    target: &Target,
    common: &Common,
    flags: &HeldSnapshotFlags,
) -> Result<Report> {
    let mut report = Report::begin(target, common, "held-snapshot", flags, 3).await?;
    for rep in 1..=report.reps {
        for &shape in &flags.shapes {
            progress(format!("held-snapshot {shape:?}, repetition {rep} of {}", report.reps));
            let site = target.site().await?;
            load(&site, shape.batches(flags.pass), 2).await?;
            let speeds = once(&site, flags).await?;
            site.close().await?;
            speeds.into_report(&mut report, shape, rep);
        }
    }
    Ok(report)
}

/// Jobs a second.
struct Speeds {
    before: f64,
    held: Vec<f64>,
}

impl Speeds {
    fn into_report(self, report: &mut Report, shape: Shape, rep: u32) {
        let shape = format!("{shape:?}").to_lowercase();
        let (first, last) = (self.held[0], self.held[self.held.len() - 1]);
        report.add(format!("{shape}: window before the snapshot"), "jobs/s", self.before);
        report.add(format!("{shape}: first window under it"), "jobs/s", first);
        report.add(format!("{shape}: last full window under it"), "jobs/s", last);
        report.add(format!("{shape}: last / first"), "ratio", ratio(last, first));
        report.add(format!("{shape}: last / before"), "ratio", ratio(last, self.before));
        report.series(format!("{shape}, repetition {rep}, windows under it"), "jobs/s", self.held);
    }
}

async fn once(site: &Site, flags: &HeldSnapshotFlags) -> Result<Speeds> {
    let work = Work::start(site, flags).await?;
    let ticker = Ticker::start(site).await?;
    let window = Duration::from_millis(flags.window_ms);
    // connections that have just been made plan their statements first
    work.pass(window / 2, flags.pass / 8).await;
    let before = work.pass(window, flags.pass / 4).await.speed;
    // what passes between the windows would not be there for those under the snapshot
    work.rest(true);
    let held = Held::open(site).await?;
    work.rest(false);
    let (mut speeds, mut left) = (Vec::new(), flags.pass);
    while left > 0 {
        let passed = work.pass(window, u64::MAX).await;
        left = left.saturating_sub(passed.jobs);
        // a queue that ran dry cut this window short: it counts where there is no whole one
        if !passed.dry || (speeds.is_empty() && passed.jobs > 0) {
            speeds.push(passed.speed);
        }
        if passed.dry {
            break;
        }
    }
    work.stop().await?;
    held.release().await?;
    ticker.stop().await?;
    ensure!(!speeds.is_empty(), "no job was left for the snapshot: give --pass more");
    Ok(Speeds { before, held: speeds })
}

/// What passed within a window.
struct Passed {
    jobs: u64,
    /// Jobs a second.
    speed: f64,
    /// Whether it ended early, since nothing waited any more.
    dry: bool,
}

/// The claimers, and what they tell and are told.
struct Work {
    signals: Arc<Signals>,
    tasks: JoinSet<Result<()>>,
}

#[derive(Default)]
struct Signals {
    settled: AtomicU64,
    /// Whether a claim found nothing.
    empty: AtomicBool,
    rests: AtomicBool,
    stop: AtomicBool,
}

impl Work {
    async fn start(site: &Site, flags: &HeldSnapshotFlags) -> Result<Self> {
        let (signals, mut tasks) = (Arc::new(Signals::default()), JoinSet::new());
        for number in 0..flags.connections {
            let mut claimer = Claimer::open(site, format!("bench-{number}"), flags.claim).await?;
            let signals = signals.clone();
            tasks.spawn(async move {
                while !signals.stop.load(Ordering::Relaxed) {
                    if signals.rests.load(Ordering::Relaxed) {
                        tokio::time::sleep(Duration::from_millis(1)).await;
                        continue;
                    }
                    let (done, claimed) = claimer.turn().await?;
                    signals.settled.fetch_add(done, Ordering::Relaxed);
                    if claimed.is_empty() {
                        signals.empty.store(true, Ordering::Relaxed);
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                }
                Ok(())
            });
        }
        Ok(Self { signals, tasks })
    }

    fn rest(&self, rests: bool) {
        self.signals.rests.store(rests, Ordering::Relaxed);
    }

    /// Waits for the end of a window: when its time is over, `most` jobs have passed, or nothing is
    /// left to pass.
    async fn pass(&self, window: Duration, most: u64) -> Passed {
        let settled = || self.signals.settled.load(Ordering::Relaxed);
        let (start, before) = (Instant::now(), settled());
        self.signals.empty.store(false, Ordering::Relaxed);
        let (mut jobs, mut took, mut dry) = (0, window, false);
        while start.elapsed() < window && jobs < most && !dry {
            tokio::time::sleep((window / 50).max(Duration::from_millis(1))).await;
            let now = settled() - before;
            // one claim may find nothing because others hold it; then those settle it
            dry = now == jobs && self.signals.empty.load(Ordering::Relaxed);
            if !dry {
                (jobs, took) = (now, start.elapsed());
            }
        }
        Passed { jobs, speed: jobs as f64 / took.as_secs_f64(), dry }
    }

    async fn stop(mut self) -> Result<()> {
        self.signals.stop.store(true, Ordering::Relaxed);
        while let Some(done) = self.tasks.join_next().await {
            done??;
        }
        Ok(())
    }
}
