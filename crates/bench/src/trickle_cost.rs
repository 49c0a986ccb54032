//! `bench trickle-cost`: few jobs a second through the library's workers, and what each of them
//! costs.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::Args;
use serde::Serialize;

use crate::counters::Counters;
use crate::flags::{Common, within};
use crate::pacer::{Pace, Paced, Pacer};
use crate::progress::progress;
use crate::report::Report;
use crate::spread::{Samples, ratio};
use crate::staff::Staff;
use crate::tally::Tally;
use crate::target::{Site, Target};
use crate::wal::WalMark;
use crate::work::Fleet;

#[derive(Debug, Clone, Args, Serialize)]
pub(crate) struct TrickleCostFlags {
    /// Jobs a second; each rate is measured
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [100.0], value_parser = within::<f64>(0.1..=100_000.0))]
    rates: Vec<f64>,
    /// How long each measurement runs
    #[arg(long, value_name = "SECONDS", default_value = "20", default_value_if("quick", "true", "0.5"), value_parser = within::<f64>(0.1..=86_400.0))]
    seconds: f64,
    /// How many tenants send them in turn
    #[arg(long, value_name = "N", default_value = "100", default_value_if("quick", "true", "10"), value_parser = within::<u64>(1..=1_000_000))]
    tenants: u64,
    /// Connections that dispatch
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = within::<u64>(1..=64))]
    dispatchers: u64,
    /// Workers in this process
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = within::<usize>(1..=30))]
    workers: usize,
    /// Handlers at once in one worker
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = within::<usize>(1..=10_000))]
    concurrency: usize,
}

pub(crate) async fn run(
    target: &Target,
    common: &Common,
    flags: &TrickleCostFlags,
) -> Result<Report> {
    let mut report = Report::begin(target, common, "trickle-cost", flags, 3).await?;
    for rep in 1..=report.reps {
        for &rate in &flags.rates {
            progress(format!("trickle-cost, {rate} jobs/s, repetition {rep} of {}", report.reps));
            let site = target.site().await?;
            once(&site, common, flags, rate, &mut report).await?;
            site.close().await?;
        }
    }
    Ok(report)
}

async fn once(
    site: &Site,
    common: &Common,
    flags: &TrickleCostFlags,
    rate: f64,
    report: &mut Report,
) -> Result<()> {
    let session = site.session().await?;
    let tally = Arc::new(Tally::default());
    let (mark, before) = (WalMark::set(&session).await?, Counters::read(site, &session).await?);
    let (workers, concurrency) = (flags.workers, flags.concurrency);
    let fleet = Fleet { workers, concurrency, connections: 2, max_batch: 500 };
    let mut staff = Staff::of_workers(site, fleet, &tally).await?;
    tokio::time::sleep(Duration::from_secs_f64(common.shrunk(3.0, 0.3))).await;
    let paced = pace(site, flags, rate).await?;
    let dispatched = paced.commits.len() as u64;
    let patience = Instant::now();
    while tally.completed() < dispatched {
        staff.check()?;
        ensure!(
            patience.elapsed() < Duration::from_secs(60),
            "{} of {dispatched} jobs were handled a minute after the last dispatch",
            tally.completed()
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let claims = staff.claim_sizes();
    staff.stop().await?;
    let after = Counters::read_after_workers(site, &session).await?;

    let jobs = dispatched as f64;
    let name = format!("{rate} jobs/s");
    report.add(format!("{name}: jobs dispatched"), "jobs", jobs);
    report.add(format!("{name}: jobs handled"), "jobs", tally.completed() as f64);
    let transactions = (after.transactions_since(&before) - jobs).max(0.0);
    let what = "transactions a job, besides its dispatch";
    report.add(format!("{name}: {what}"), "tx", ratio(transactions, jobs));
    let all: u64 = claims.iter().sum();
    report.add(format!("{name}: claims a job"), "claims", ratio(all as f64, jobs));
    let empty = ratio(claims[0] as f64, all as f64);
    report.add(format!("{name}: claims that found nothing, share"), "ratio", empty);
    if let Some(cpu) = after.cpu_since(&before) {
        report.add(format!("{name}: server CPU per 1,000 jobs"), "s", ratio(cpu * 1e3, jobs));
    }
    mark.since(&session).await?.per_job(report, &name, dispatched);
    let waits = from_commit(&paced, &tally);
    for (what, share) in [("p50", 0.5), ("p99", 0.99), ("max", 1.0)] {
        let name = format!("{name}: commit returned to handler start, {what}");
        report.add(name, "ms", waits.percentile(share));
    }
    report.add(format!("{name}: a dispatch began late, p99"), "ms", paced.late.percentile(0.99));
    Ok(())
}

async fn pace(site: &Site, flags: &TrickleCostFlags, rate: f64) -> Result<Paced> {
    let pace = Pace {
        queue: site.queue.clone(),
        first_tenant: 1,
        tenants: flags.tenants,
        types: 1,
        rate,
        connections: flags.dispatchers,
    };
    let pacer = Pacer::start(site, &pace).await?;
    tokio::time::sleep(Duration::from_secs_f64(flags.seconds)).await;
    pacer.stop().await
}

/// From the return of each commit to the start of the handler, in milliseconds. A worker can be
/// quicker than the answer's way back to the dispatcher.
fn from_commit(paced: &Paced, tally: &Tally) -> Samples {
    let starts: HashMap<u64, u64> = tally.starts().into_iter().collect();
    let waits = paced
        .commits
        .iter()
        .filter_map(|commit| Some(starts.get(&commit.job)?.saturating_sub(commit.at) as f64 / 1e3));
    Samples::of(waits.collect())
}
