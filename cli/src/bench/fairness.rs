//! `bench fairness`: a thousand small tenants behind one tenant's million.

use std::collections::HashSet;
use std::time::Instant;

use anyhow::ensure;
use clap::Args;
use serde::Serialize;

use super::claimer::Claimer;
use super::load::{Batch, load, tenant};
use super::options::Common;
use super::place::{Place, Site};
use super::report::Report;
use super::spread::Samples;
use super::ticker::Ticker;
use super::{progress, surroundings};
use crate::value::within;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The big tenant's jobs, dispatched first [default: 1000000]
    #[arg(long, value_name = "N", value_parser = within::<u64>(1..=1_000_000_000))]
    flood: Option<u64>,
    /// How many small tenants [default: 1000]
    #[arg(long, value_name = "N", value_parser = within::<u64>(1..=1_000_000))]
    tenants: Option<u64>,
    /// Jobs of each of them, in one dispatch
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = within::<usize>(1..=10_000))]
    each: usize,
    /// Jobs a claim takes; once for each
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [1, 10], value_parser = within::<i32>(1..=1_000))]
    claims: Vec<i32>,
}

#[derive(Debug, Serialize)]
struct Sizes {
    flood: u64,
    tenants: u64,
    each: usize,
    claims: Vec<i32>,
    reps: u32,
}

pub(crate) async fn run(
    place: &Place,
    common: &Common,
    options: &Options,
) -> anyhow::Result<Report> {
    let sizes = Sizes {
        flood: common.size(options.flood, 1_000_000, 2_000),
        tenants: common.size(options.tenants, 1_000, 30),
        each: options.each,
        claims: options.claims.clone(),
        reps: common.reps(3),
    };
    let runs = sizes.reps as usize * sizes.claims.len();
    ensure!(
        runs < sizes.each,
        "each run takes a job of every small tenant: give --each more than {runs}"
    );
    let mut report = Report::new("fairness", &sizes, surroundings(place).await?)?;
    let site = place.site().await?;
    progress(format!("loading {} jobs of one tenant", sizes.flood));
    load(&site, vec![vec![tenant(0); 1_000]; usize::try_from(sizes.flood / 1_000)?], 2).await?;
    let small: Vec<Batch> = (1..=sizes.tenants).map(|who| vec![tenant(who); sizes.each]).collect();
    load(&site, small, 1).await?;
    for _ in 0..sizes.reps {
        for &claim in &sizes.claims {
            once(&site, &sizes, claim, &mut report).await?;
        }
    }
    site.close().await?;
    Ok(report)
}

/// One claimer without a place in the round, until it has met every tenant.
async fn once(site: &Site, sizes: &Sizes, claim: i32, report: &mut Report) -> anyhow::Result<()> {
    let ticker = Ticker::start(site).await?;
    let mut claimer = Claimer::open(site, "bench-fairness".to_owned(), claim).await?;
    claimer.start_anew(claim);
    let (mut seen, mut claimed, mut took) = (HashSet::new(), 0_u64, Vec::new());
    while (seen.len() as u64) < sizes.tenants + 1 {
        let start = Instant::now();
        let jobs = claimer.claim().await?;
        took.push(start.elapsed().as_secs_f64() * 1e3);
        ensure!(!jobs.is_empty(), "the queue ran dry before every tenant was served");
        claimed += jobs.len() as u64;
        seen.extend(jobs.iter().map(|job| job.tenant));
        claimer.settle().await?;
    }
    ticker.stop().await?;
    let took = Samples::of(took);
    let name = format!(
        "claims of {claim}: jobs claimed until all {} tenants were served",
        sizes.tenants + 1
    );
    report.add(name, "jobs", claimed as f64);
    report.add(format!("claims of {claim}: one claim, p50"), "ms", took.percentile(0.5));
    report.add(format!("claims of {claim}: one claim, p99"), "ms", took.percentile(0.99));
    Ok(())
}
