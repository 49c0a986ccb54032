//! `bench trickling` and `bench held-trickle`: tenants that send a job now and then. What a claim
//! costs must depend neither on how many they are nor on how long a snapshot has been held.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::claimer::Claimer;
use crate::crew::Crew;
use crate::flags::within;
use crate::held::Held;
use crate::pacer::{Pace, Pacer};
use crate::report::Report;
use crate::scenario::{OnOneSite, Scenario, Stage};
use crate::spread::{MEAN, P50, P99, Samples, ratio};
use crate::tally::Tally;
use crate::target::Site;
use crate::ticker;

#[derive(Debug, Clone, Args, Serialize)]
pub(crate) struct TrickleFlags {
    /// Numbers of tenants to compare, each at the same rate in total
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [10, 10_000], default_value_if("quick", "true", "10,100"), value_parser = within::<u64>(1..=1_000_000))]
    tenants: Vec<u64>,
    /// How long each measurement runs
    #[arg(long, value_name = "SECONDS", default_value = "14", default_value_if("quick", "true", "0.6"), value_parser = within::<f64>(0.1..=86_400.0))]
    seconds: f64,
    #[command(flatten)]
    load: LoadFlags,
}

#[derive(Debug, Clone, Args, Serialize)]
pub(crate) struct HeldTrickleFlags {
    /// How many tenants
    #[arg(long, value_name = "N", default_value = "1000", default_value_if("quick", "true", "50"), value_parser = within::<u64>(1..=1_000_000))]
    tenants: u64,
    /// How long each measurement runs
    #[arg(long, value_name = "SECONDS", default_value = "120", default_value_if("quick", "true", "0.6"), value_parser = within::<f64>(0.1..=86_400.0))]
    seconds: f64,
    #[command(flatten)]
    load: LoadFlags,
}

#[derive(Debug, Clone, Args, Serialize)]
struct LoadFlags {
    /// Jobs a second of all tenants together
    #[arg(long, value_name = "N", default_value_t = 1000.0, value_parser = within::<f64>(0.1..=1_000_000.0))]
    rate: f64,
    /// Connections that dispatch
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = within::<usize>(1..=64))]
    dispatchers: usize,
    /// Connections that claim, pausing 10 ms after each claim
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = within::<usize>(1..=64))]
    claimers: usize,
    /// Jobs a claim takes at most
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = within::<i32>(1..=1_000))]
    claim: i32,
}

/// What claims cost before this many seconds have passed does not count.
fn warm_up(stage: &Stage<'_>) -> f64 {
    stage.common.shrunk(3.5, 0.2)
}

impl Scenario for TrickleFlags {
    const NAME: &'static str = "trickling";
    const REPS: u32 = 3;

    async fn run(&self, stage: &mut Stage<'_>) -> Result<()> {
        while stage.repeats() {
            let mut costs = Vec::new();
            for &tenants in &self.tenants {
                let site = stage.site(&format!("trickling, {tenants} tenants")).await?;
                let seen = self.load.watch(&site, tenants, self.seconds).await?;
                site.close().await?;
                let these = seen.costs(warm_up(stage), self.seconds);
                seen.describe(&mut stage.report, &format!("{tenants} tenants"), &these);
                costs.push(these);
            }
            let (first, last) = (&costs[0], &costs[costs.len() - 1]);
            compare(&mut stage.report, "last number of tenants / first", last, first);
        }
        Ok(())
    }
}

impl OnOneSite for HeldTrickleFlags {
    const NAME: &'static str = "held-trickle";
    const REPS: u32 = 1;

    async fn once(&self, site: &Site, stage: &mut Stage<'_>) -> Result<()> {
        let held = Held::open(site).await?;
        let seen = self.load.watch(site, self.tenants, self.seconds).await?;
        held.release().await?;
        let begin = warm_up(stage);
        let slice = 10_f64.min((self.seconds - begin) / 2.0);
        let first = seen.costs(begin, begin + slice);
        let last = seen.costs(self.seconds - slice, self.seconds);
        seen.describe(&mut stage.report, &format!("first {slice:.1} s"), &first);
        seen.describe(&mut stage.report, &format!("last {slice:.1} s"), &last);
        compare(&mut stage.report, "last / first", &last, &first);
        Ok(())
    }
}

fn compare(report: &mut Report, what: &str, last: &Samples, first: &Samples) {
    for (name, value) in [P50, MEAN] {
        report.ratio(format!("{name} of a claim, {what}"), value(last), value(first));
    }
}

/// A claim that gave something: when it began, in seconds, what it cost in milliseconds, and how
/// many jobs it gave.
struct Claim {
    at: f64,
    cost: f64,
    jobs: usize,
}

/// What the claimers saw.
struct Seen {
    claims: Vec<Claim>,
    waits: Samples,
}

impl Seen {
    fn costs(&self, from: f64, to: f64) -> Samples {
        let within = self.claims.iter().filter(|claim| claim.at >= from && claim.at < to);
        Samples::of(within.map(|claim| claim.cost).collect())
    }

    fn describe(&self, report: &mut Report, what: &str, costs: &Samples) {
        report.times(&format!("{what}: a claim that gave jobs"), costs, &[P50, MEAN, P99]);
        report.add(format!("{what}: claims counted"), "claims", costs.len() as f64);
        let jobs: usize = self.claims.iter().map(|claim| claim.jobs).sum();
        let each = ratio(jobs as f64, self.claims.len() as f64);
        report.add("jobs a claim, whole run", "jobs", each);
        report.times("wait from dispatch to claim, whole run", &self.waits, &[P50, P99]);
    }
}

impl LoadFlags {
    async fn watch(&self, site: &Site, tenants: u64, seconds: f64) -> Result<Seen> {
        let ticker = ticker::start(site).await?;
        let claimers = Claimer::several(site, self.claimers, self.claim).await?;
        let pace = Pace::new(site, tenants, self.rate, self.dispatchers);
        let pacer = Pacer::start(site, pace).await?;
        let (tally, start) = (Arc::new(Tally::default()), Instant::now());
        let crew =
            Crew::start(claimers, |claimer, stop| claim_until(claimer, start, tally.clone(), stop));
        tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
        let claims = crew.stop().await?.into_iter().flatten().collect();
        pacer.stop().await?;
        ticker.stop().await?;
        Ok(Seen { claims, waits: tally.waits() })
    }
}

async fn claim_until(
    mut claimer: Claimer,
    start: Instant,
    tally: Arc<Tally>,
    stop: CancellationToken,
) -> Result<Vec<Claim>> {
    let mut claims = Vec::new();
    while !stop.is_cancelled() {
        let at = start.elapsed().as_secs_f64();
        let jobs = claimer.claim().await?;
        let cost = (start.elapsed().as_secs_f64() - at) * 1e3;
        if !jobs.is_empty() {
            claims.push(Claim { at, cost, jobs: jobs.len() });
        }
        tally.started(&jobs);
        claimer.settle().await?;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(claims)
}
