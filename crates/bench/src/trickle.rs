//! `bench trickling` and `bench held-trickle`: tenants that send a job now and then. What a claim
//! costs must depend neither on how many they are nor on how long a snapshot has been held.

use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;
use serde::Serialize;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::claimer::Claimer;
use crate::flags::{Common, within};
use crate::held::Held;
use crate::pacer::{Pace, Pacer, began, micros};
use crate::progress::progress;
use crate::report::Report;
use crate::spread::{Samples, ratio};
use crate::target::{Site, Target};
use crate::ticker::Ticker;

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
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = within::<u64>(1..=64))]
    dispatchers: u64,
    /// Connections that claim, pausing 10 ms after each claim
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = within::<usize>(1..=64))]
    claimers: usize,
    /// Jobs a claim takes at most
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = within::<i32>(1..=1_000))]
    claim: i32,
}

/// What claims cost before this many seconds have passed does not count.
fn warm_up(common: &Common) -> f64 {
    common.shrunk(3.5, 0.2)
}

pub(crate) async fn run(target: &Target, common: &Common, flags: &TrickleFlags) -> Result<Report> {
    let mut report = Report::begin(target, common, "trickling", flags, 3).await?;
    for rep in 1..=report.reps {
        let (mut typical, mut average) = (Vec::new(), Vec::new());
        for &tenants in &flags.tenants {
            progress(format!("trickling, {tenants} tenants, repetition {rep} of {}", report.reps));
            let site = target.site().await?;
            let seen = watch(&site, &flags.load, tenants, flags.seconds).await?;
            site.close().await?;
            let costs = seen.costs(warm_up(common), flags.seconds);
            seen.describe(&mut report, &format!("{tenants} tenants"), &costs);
            typical.push(costs.percentile(0.5));
            average.push(costs.mean());
        }
        let last_to_first = |of: &[f64]| ratio(of[of.len() - 1], of[0]);
        report.add(
            "p50 of a claim, last number of tenants / first",
            "ratio",
            last_to_first(&typical),
        );
        report.add(
            "mean of a claim, last number of tenants / first",
            "ratio",
            last_to_first(&average),
        );
    }
    Ok(report)
}

pub(crate) async fn run_held(
    target: &Target,
    common: &Common,
    flags: &HeldTrickleFlags,
) -> Result<Report> {
    let mut report = Report::begin(target, common, "held-trickle", flags, 1).await?;
    for rep in 1..=report.reps {
        progress(format!("held-trickle, repetition {rep} of {}", report.reps));
        let site = target.site().await?;
        let held = Held::open(&site).await?;
        let seen = watch(&site, &flags.load, flags.tenants, flags.seconds).await?;
        held.release().await?;
        site.close().await?;
        let slice = 10_f64.min((flags.seconds - warm_up(common)) / 2.0);
        let first = seen.costs(warm_up(common), warm_up(common) + slice);
        let last = seen.costs(flags.seconds - slice, flags.seconds);
        seen.describe(&mut report, &format!("first {slice:.1} s"), &first);
        seen.describe(&mut report, &format!("last {slice:.1} s"), &last);
        let typical = ratio(last.percentile(0.5), first.percentile(0.5));
        report.add("p50 of a claim, last / first", "ratio", typical);
        report.add("mean of a claim, last / first", "ratio", ratio(last.mean(), first.mean()));
    }
    Ok(report)
}

/// What the claimers saw: when each claim that gave something began, in seconds, what it cost, and
/// what it gave.
#[derive(Default)]
struct Seen {
    claims: Vec<(f64, f64, usize)>,
    waits: Vec<f64>,
}

impl Seen {
    fn costs(&self, from: f64, to: f64) -> Samples {
        let within = |&&(at, _, _): &&(f64, f64, usize)| at >= from && at < to;
        Samples::of(self.claims.iter().filter(within).map(|&(_, cost, _)| cost).collect())
    }

    fn describe(&self, report: &mut Report, what: &str, costs: &Samples) {
        report.add(format!("{what}: a claim that gave jobs, p50"), "ms", costs.percentile(0.5));
        report.add(format!("{what}: a claim that gave jobs, mean"), "ms", costs.mean());
        report.add(format!("{what}: a claim that gave jobs, p99"), "ms", costs.percentile(0.99));
        report.add(format!("{what}: claims counted"), "claims", costs.len() as f64);
        let jobs: usize = self.claims.iter().map(|&(_, _, jobs)| jobs).sum();
        let claims = self.claims.len().max(1);
        report.add("jobs a claim, whole run", "jobs", jobs as f64 / claims as f64);
        let waits = Samples::of(self.waits.clone());
        report.add("wait from dispatch to claim, whole run, p50", "ms", waits.percentile(0.5));
        report.add("wait from dispatch to claim, whole run, p99", "ms", waits.percentile(0.99));
    }
}

async fn watch(site: &Site, load: &LoadFlags, tenants: u64, seconds: f64) -> Result<Seen> {
    let ticker = Ticker::start(site).await?;
    let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
    let mut claimers = Vec::new();
    for number in 0..load.claimers {
        claimers.push(Claimer::open(site, format!("bench-{number}"), load.claim).await?);
    }
    let pace = Pace {
        queue: site.queue.clone(),
        first_tenant: 1,
        tenants,
        types: 1,
        rate: load.rate,
        connections: load.dispatchers,
    };
    let pacer = Pacer::start(site, &pace).await?;
    let start = Instant::now();
    for claimer in claimers {
        tasks.spawn(claim_until(claimer, start, stop.clone()));
    }
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
    stop.cancel();
    let mut seen = Seen::default();
    while let Some(done) = tasks.join_next().await {
        let one = done??;
        seen.claims.extend(one.claims);
        seen.waits.extend(one.waits);
    }
    pacer.stop().await?;
    ticker.stop().await?;
    Ok(seen)
}

async fn claim_until(
    mut claimer: Claimer,
    start: Instant,
    stop: CancellationToken,
) -> Result<Seen> {
    let mut seen = Seen::default();
    while !stop.is_cancelled() {
        let at = start.elapsed().as_secs_f64();
        let jobs = claimer.claim().await?;
        let (now, cost) = (micros(), start.elapsed().as_secs_f64() - at);
        if !jobs.is_empty() {
            seen.claims.push((at, cost * 1e3, jobs.len()));
        }
        let began = jobs.iter().filter_map(|job| began(&job.payload));
        seen.waits.extend(began.map(|began| now.saturating_sub(began) as f64 / 1e3));
        claimer.settle().await?;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(seen)
}
