//! `bench held-snapshot`: jobs pass while an open snapshot keeps every row they leave behind.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::flags::within;
use crate::held::Held;
use crate::load::{Batch, Kind, load, one_each, tenant, together};
use crate::scenario::{Scenario, Stage};
use crate::staff::Staff;
use crate::target::Site;

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
            Self::Shared => together(&one_each(pass / 8 * 8 / 5, 8), 125),
        }
    }

    /// One tenant with 1.5 times what passes, `many` with `each` × `part` / 1,000.
    fn one_and_many(part: usize, many: u64, each: usize) -> Vec<Batch> {
        let mut batches = vec![vec![tenant(0); part]; 300];
        batches.extend(one_each(many, (each * part / 1_000).max(1)));
        batches
    }
}

impl Scenario for HeldSnapshotFlags {
    const NAME: &'static str = "held-snapshot";
    const REPS: u32 = 3;

    async fn run(&self, stage: &mut Stage<'_>) -> Result<()> {
        while stage.repeats() {
            for &shape in &self.shapes {
                let name = format!("{shape:?}").to_lowercase();
                let site = stage.site(&format!("held-snapshot, {name}")).await?;
                load(&site, shape.batches(self.pass), Kind::default()).await?;
                let (before, held) = self.once(&site).await?;
                site.close().await?;
                let (first, last) = (held[0], held[held.len() - 1]);
                let (rep, report) = (stage.rep, &mut stage.report);
                report.add(format!("{name}: window before the snapshot"), "jobs/s", before);
                report.add(format!("{name}: first window under it"), "jobs/s", first);
                report.add(format!("{name}: last full window under it"), "jobs/s", last);
                report.ratio(format!("{name}: last / first"), last, first);
                report.ratio(format!("{name}: last / before"), last, before);
                let series = format!("{name}, repetition {rep}, windows under it");
                report.series(series, "jobs/s", held);
            }
        }
        Ok(())
    }
}

impl HeldSnapshotFlags {
    /// Jobs a second, in the window before the snapshot and in those under it.
    async fn once(&self, site: &Site) -> Result<(f64, Vec<f64>)> {
        let mut staff = Staff::of_connections(site, self.connections, self.claim).await?;
        let window = Duration::from_millis(self.window_ms);
        // connections that have just been made plan their statements first
        pass(&mut staff, window / 2, self.pass / 8).await?;
        let before = pass(&mut staff, window, self.pass / 4).await?.speed;
        // what passes between the windows would not be there for those under the snapshot
        staff.rest(true);
        let held = Held::open(site).await?;
        staff.rest(false);
        let (mut speeds, mut left) = (Vec::new(), self.pass);
        while left > 0 {
            let passed = pass(&mut staff, window, u64::MAX).await?;
            left = left.saturating_sub(passed.jobs);
            // a queue that ran dry cut this window short: it counts where there is no whole one
            if !passed.dry || (speeds.is_empty() && passed.jobs > 0) {
                speeds.push(passed.speed);
            }
            if passed.dry {
                break;
            }
        }
        staff.stop().await?;
        held.release().await?;
        ensure!(!speeds.is_empty(), "no job was left for the snapshot: give --pass more");
        Ok((before, speeds))
    }
}

/// What passed within a window.
struct Passed {
    jobs: u64,
    /// Jobs a second.
    speed: f64,
    /// Whether it ended early, since nothing waited any more.
    dry: bool,
}

/// Waits for the end of a window: when its time is over, `most` jobs have passed, or nothing is left
/// to pass.
async fn pass(staff: &mut Staff, window: Duration, most: u64) -> Result<Passed> {
    let (start, before) = (Instant::now(), staff.tally.completed());
    let empty_before = staff.claim_sizes()[0];
    let (mut jobs, mut took, mut dry) = (0, window, false);
    while start.elapsed() < window && jobs < most && !dry {
        staff.check()?;
        tokio::time::sleep((window / 50).max(Duration::from_millis(1))).await;
        let now = staff.tally.completed() - before;
        // one claim may find nothing because others hold it; then those settle it
        dry = now == jobs && staff.claim_sizes()[0] > empty_before;
        if !dry {
            (jobs, took) = (now, start.elapsed());
        }
    }
    Ok(Passed { jobs, speed: jobs as f64 / took.as_secs_f64(), dry })
}
