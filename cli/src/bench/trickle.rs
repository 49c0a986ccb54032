//! `bench trickling` and `bench held-trickle`: tenants that send a job now and then. What a claim
//! costs must depend neither on how many they are nor on how long a snapshot has been held.

use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::claimer::Claimer;
use super::held::Held;
use super::options::Common;
use super::pacer::{Pace, Pacer, began, micros};
use super::place::{Place, Site};
use super::report::Report;
use super::spread::{Samples, ratio};
use super::ticker::Ticker;
use super::{progress, surroundings};
use crate::value::within;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Numbers of tenants to compare, each at the same rate in total [default: 10,10000]
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = within::<u64>(1..=1_000_000))]
    tenants: Vec<u64>,
    #[command(flatten)]
    load: LoadOptions,
}

#[derive(Debug, Args)]
pub(crate) struct HeldOptions {
    /// How many tenants [default: 1000]
    #[arg(long, value_name = "N", value_parser = within::<u64>(1..=1_000_000))]
    tenants: Option<u64>,
    #[command(flatten)]
    load: LoadOptions,
}

#[derive(Debug, Args)]
struct LoadOptions {
    /// How long each measurement runs [default: 14, under a snapshot 120]
    #[arg(long, value_name = "SECONDS", value_parser = within::<f64>(0.1..=86_400.0))]
    seconds: Option<f64>,
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

#[derive(Debug, Clone, Serialize)]
struct Sizes {
    tenants: Vec<u64>,
    seconds: f64,
    warm_up: f64,
    rate: f64,
    dispatchers: u64,
    claimers: usize,
    claim: i32,
    reps: u32,
}

impl LoadOptions {
    fn sizes(&self, common: &Common, tenants: Vec<u64>, seconds: f64, reps: u32) -> Sizes {
        Sizes {
            tenants,
            seconds: common.size(self.seconds, seconds, 0.6),
            warm_up: common.size(None, 3.5, 0.2),
            rate: self.rate,
            dispatchers: self.dispatchers,
            claimers: self.claimers,
            claim: self.claim,
            reps: common.reps(reps),
        }
    }
}

pub(crate) async fn run(
    place: &Place,
    common: &Common,
    options: &Options,
) -> anyhow::Result<Report> {
    let tenants = match options.tenants.as_slice() {
        [] => vec![10, common.size(None, 10_000, 100)],
        some => some.to_vec(),
    };
    let sizes = options.load.sizes(common, tenants, 14.0, 3);
    let mut report = Report::new("trickling", &sizes, surroundings(place).await?)?;
    for rep in 1..=sizes.reps {
        let (mut typical, mut average) = (Vec::new(), Vec::new());
        for &tenants in &sizes.tenants {
            progress(format!("trickling, {tenants} tenants, repetition {rep} of {}", sizes.reps));
            let site = place.site().await?;
            let seen = watch(&site, &sizes, tenants).await?;
            site.close().await?;
            let costs = seen.costs(sizes.warm_up, sizes.seconds);
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
    place: &Place,
    common: &Common,
    options: &HeldOptions,
) -> anyhow::Result<Report> {
    let tenants = vec![common.size(options.tenants, 1_000, 50)];
    let sizes = options.load.sizes(common, tenants, 120.0, 1);
    let mut report = Report::new("held-trickle", &sizes, surroundings(place).await?)?;
    for rep in 1..=sizes.reps {
        progress(format!("held-trickle, repetition {rep} of {}", sizes.reps));
        let site = place.site().await?;
        let held = Held::open(&site).await?;
        let seen = watch(&site, &sizes, sizes.tenants[0]).await?;
        held.release().await?;
        site.close().await?;
        let slice = 10_f64.min((sizes.seconds - sizes.warm_up) / 2.0);
        let first = seen.costs(sizes.warm_up, sizes.warm_up + slice);
        let last = seen.costs(sizes.seconds - slice, sizes.seconds);
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

async fn watch(site: &Site, sizes: &Sizes, tenants: u64) -> anyhow::Result<Seen> {
    let ticker = Ticker::start(site).await?;
    let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
    let mut claimers = Vec::new();
    for number in 0..sizes.claimers {
        claimers.push(Claimer::open(site, format!("bench-{number}"), sizes.claim).await?);
    }
    let pace = Pace {
        queue: site.queue.clone(),
        first_tenant: 1,
        tenants,
        types: 1,
        rate: sizes.rate,
        connections: sizes.dispatchers,
    };
    let pacer = Pacer::start(site, &pace).await?;
    let start = Instant::now();
    for claimer in claimers {
        tasks.spawn(claim_until(claimer, start, stop.clone()));
    }
    tokio::time::sleep(Duration::from_secs_f64(sizes.seconds)).await;
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
) -> anyhow::Result<Seen> {
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
