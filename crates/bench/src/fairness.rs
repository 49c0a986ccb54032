//! `bench fairness`: a thousand small tenants behind one tenant's million.

use std::collections::HashSet;
use std::time::Instant;

use anyhow::{Result, ensure};
use clap::Args;
use serde::Serialize;

use crate::claimer::Claimer;
use crate::flags::{Common, within};
use crate::load::{Batch, load, tenant};
use crate::progress::progress;
use crate::report::Report;
use crate::spread::Samples;
use crate::target::{Site, Target};
use crate::ticker::Ticker;

#[derive(Debug, Clone, Args, Serialize)]
pub(crate) struct FairnessFlags {
    /// The big tenant's jobs, dispatched first
    #[arg(long, value_name = "N", default_value = "1000000", default_value_if("quick", "true", "2000"), value_parser = within::<u64>(1..=1_000_000_000))]
    flood: u64,
    /// How many small tenants
    #[arg(long, value_name = "N", default_value = "1000", default_value_if("quick", "true", "30"), value_parser = within::<u64>(1..=1_000_000))]
    tenants: u64,
    /// Jobs of each of them, in one dispatch
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = within::<usize>(1..=10_000))]
    each: usize,
    /// Jobs a claim takes; once for each
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [1, 10], value_parser = within::<i32>(1..=1_000))]
    claims: Vec<i32>,
}

pub(crate) async fn run(target: &Target, common: &Common, flags: &FairnessFlags) -> Result<Report> {
    let mut report = Report::begin(target, common, "fairness", flags, 3).await?;
    let runs = report.reps as usize * flags.claims.len();
    ensure!(
        runs < flags.each,
        "each run takes a job of every small tenant: give --each more than {runs}"
    );
    let site = target.site().await?;
    progress(format!("loading {} jobs of one tenant", flags.flood));
    load(&site, vec![vec![tenant(0); 1_000]; usize::try_from(flags.flood / 1_000)?], 2).await?;
    let small: Vec<Batch> = (1..=flags.tenants).map(|who| vec![tenant(who); flags.each]).collect();
    load(&site, small, 1).await?;
    for _ in 0..report.reps {
        for &claim in &flags.claims {
            once(&site, flags, claim, &mut report).await?;
        }
    }
    site.close().await?;
    Ok(report)
}

/// One claimer without a place in the round, until it has met every tenant.
async fn once(site: &Site, flags: &FairnessFlags, claim: i32, report: &mut Report) -> Result<()> {
    let ticker = Ticker::start(site).await?;
    let mut claimer = Claimer::open(site, "bench-fairness".to_owned(), claim).await?;
    claimer.start_anew(claim);
    let (mut seen, mut claimed, mut took) = (HashSet::new(), 0_u64, Vec::new());
    while (seen.len() as u64) < flags.tenants + 1 {
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
        flags.tenants + 1
    );
    report.add(name, "jobs", claimed as f64);
    report.add(format!("claims of {claim}: one claim, p50"), "ms", took.percentile(0.5));
    report.add(format!("claims of {claim}: one claim, p99"), "ms", took.percentile(0.99));
    Ok(())
}
