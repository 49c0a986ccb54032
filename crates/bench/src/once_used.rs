//! `bench once-used`: very many tenants come once and go. What is left of them must not make claims
//! and ticks dear.

use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::Args;
use serde::Serialize;
use tokio_postgres::types::Type;

use crate::claimer::Claimer;
use crate::flags::{Fleet, within};
use crate::load::{Kind, load, one_each, together};
use crate::report::Report;
use crate::scenario::{OnOneSite, Stage};
use crate::spread::{MAX, P50, Samples};
use crate::target::{Session, Site};
use crate::ticker;
use crate::work;

/// An idle fleet ticks when something is due; here a tick comes once a second at least.
const LONGEST_PAUSE: f64 = 1.0;
/// After a slice that was full the next tick comes at once, as from a worker.
const SHORTEST_PAUSE: f64 = 0.02;
/// Between two empty claims.
const CLAIM_EVERY: Duration = Duration::from_millis(100);

#[derive(Debug, Clone, Args, Serialize)]
pub(crate) struct OnceUsedFlags {
    /// How many tenants
    #[arg(long, value_name = "N", default_value = "20000", default_value_if("quick", "true", "50"), value_parser = within::<u64>(1..=1_000_000))]
    tenants: u64,
    /// Jobs of each of them, in one dispatch: more than 8 wait in a lane of the tenant's own
    #[arg(long, value_name = "N", default_value_t = 9, value_parser = within::<usize>(1..=1_000))]
    each: usize,
    /// Their priority
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = within::<i32>(-100..=100))]
    priority: i32,
    /// How long claims and ticks are watched once all jobs are gone
    #[arg(long, value_name = "SECONDS", default_value = "60", default_value_if("quick", "true", "1"), value_parser = within::<f64>(0.1..=86_400.0))]
    seconds: f64,
    /// Jobs that an empty claim asks for
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = within::<i32>(1..=1_000))]
    claim: i32,
}

impl OnOneSite for OnceUsedFlags {
    const NAME: &'static str = "once-used";
    const REPS: u32 = 1;

    async fn once(&self, site: &Site, stage: &mut Stage<'_>) -> Result<()> {
        let (rep, report) = (stage.rep, &mut stage.report);
        // only the owner sees lanes
        let owner = site.owner().await?;
        let mut claimer = Claimer::open(site, "bench-idle".to_owned(), self.claim).await?;
        let ticker = ticker::start(site).await?;
        let batches = together(&one_each(self.tenants, self.each), (1_000 / self.each).max(1));
        load(site, batches, Kind { priority: self.priority, ..Kind::default() }).await?;
        report.add("own lanes when all jobs wait", "lanes", own_lanes(&owner, site).await?);
        ticker.stop().await?;
        let jobs = self.tenants * self.each as u64;
        let fleet = Fleet { concurrency: 1_000, connections: 2, max_batch: 500 };
        work::drain(site, &fleet, 2, jobs).await?;
        report.add("jobs that came and went", "jobs", jobs as f64);
        report.add("own lanes when all jobs are gone", "lanes", own_lanes(&owner, site).await?);

        let seen = watch(site, &owner, &mut claimer, self.seconds).await?;
        report.add("own lanes at the end", "lanes", own_lanes(&owner, site).await?);
        seen.describe(report, self.seconds, rep);
        Ok(())
    }
}

async fn own_lanes(owner: &Session, site: &Site) -> Result<f64> {
    let text = "select count(*)::float8 from fairclaim_internal.lane where queue = $1 and tenant_id is not null";
    Ok(owner.query_typed_one(text, &[(&site.queue, Type::TEXT)]).await?.get(0))
}

/// When each claim and each tick began, in seconds, and what it took in milliseconds.
#[derive(Default)]
struct Seen {
    claims: Vec<(f64, f64)>,
    ticks: Vec<(f64, f64)>,
    lanes: Vec<f64>,
}

/// Claims in vain, and ticks when a tick says that the next one is due.
async fn watch(site: &Site, owner: &Session, claimer: &mut Claimer, seconds: f64) -> Result<Seen> {
    let session = site.session().await?;
    let text = "select next_tick_in from fairclaim.tick()";
    let tick = session.prepare(text).await?;
    let (mut seen, start, mut due) = (Seen::default(), Instant::now(), 0.0);
    let elapsed = || start.elapsed().as_secs_f64();
    while elapsed() < seconds {
        let at = elapsed();
        ensure!(claimer.claim().await?.is_empty(), "a job was left when all were drained");
        seen.claims.push((at, (elapsed() - at) * 1e3));
        let next = CLAIM_EVERY.as_secs_f64() + at;
        // a claim that took longer than that keeps no tick away
        while due <= next.max(elapsed()) {
            tokio::time::sleep(Duration::from_secs_f64((due - elapsed()).max(0.0))).await;
            let at = elapsed();
            let pause: f64 = session.query_one(&tick, &[]).await?.get(0);
            seen.ticks.push((at, (elapsed() - at) * 1e3));
            due = elapsed() + pause.clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
            if elapsed() >= next {
                break;
            }
        }
        if elapsed() * 10.0 >= seconds * seen.lanes.len() as f64 {
            seen.lanes.push(own_lanes(owner, site).await?);
        }
        tokio::time::sleep(Duration::from_secs_f64((next - elapsed()).max(0.0))).await;
    }
    Ok(seen)
}

impl Seen {
    fn describe(self, report: &mut Report, seconds: f64, rep: u32) {
        let part = (seconds / 6.0).min(10.0);
        let (first, last) = (0.0..part, seconds - part..f64::INFINITY);
        let within = |of: &[(f64, f64)], time: &Range<f64>| {
            Samples::of(of.iter().filter(|(at, _)| time.contains(at)).map(|&(_, ms)| ms).collect())
        };
        for (name, time) in [("first", &first), ("last", &last)] {
            let what = format!("{name} {part:.1} s: an empty claim");
            report.times(&what, &within(&self.claims, time), &[P50, MAX]);
        }
        let what = format!("last {part:.1} s: a tick");
        report.times(&what, &within(&self.ticks, &last), &[P50]);
        let ticks = within(&self.ticks, &(0.0..f64::INFINITY));
        report.times("whole time: a tick", &ticks, &[MAX]);
        report.add("whole time: ticks", "ticks", ticks.len() as f64);
        let busy = ticks.mean() * ticks.len() as f64 / 10.0 / seconds;
        report.add("whole time: time in ticks", "%", busy);
        report.series(format!("repetition {rep}, own lanes, ten times"), "lanes", self.lanes);
    }
}
