//! `bench drain`: a full queue, handlers that do nothing, until it is empty.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::Args;
use serde::Serialize;
use tokio::task::JoinSet;

use crate::claimer::Claimer;
use crate::flags::{Common, FleetFlags, Through, within};
use crate::load::{dealt, load};
use crate::machine::commit_cost;
use crate::progress::progress;
use crate::report::Report;
use crate::target::{Site, Target};
use crate::ticker::Ticker;
use crate::wal::WalMark;
use crate::{history, work};

#[derive(Debug, Clone, Args, Serialize)]
pub(crate) struct DrainFlags {
    /// How many jobs
    #[arg(long, value_name = "N", default_value = "200000", default_value_if("quick", "true", "500"), value_parser = within::<u64>(1..=1_000_000_000))]
    jobs: u64,
    /// How many tenants they are dealt to
    #[arg(long, value_name = "N", default_value = "1000", default_value_if("quick", "true", "20"), value_parser = within::<u64>(1..=1_000_000))]
    tenants: u64,
    /// Who works them off
    #[arg(long, value_enum, default_value_t = Through::Worker)]
    through: Through,
    /// Workers in this process, or connections with --through sql
    #[arg(long, value_name = "N", default_value = "2", value_parser = within::<usize>(1..=64))]
    workers: usize,
    #[command(flatten)]
    fleet: FleetFlags,
    /// Jobs a claim takes, with --through sql
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = within::<i32>(1..=1_000))]
    claim: i32,
    /// First make this many ranges of finished jobs
    #[arg(long, value_name = "K", default_value_t = 0, value_parser = within::<u32>(0..=1_000))]
    history_ranges: u32,
    /// Finished jobs in each of those ranges
    #[arg(long, value_name = "N", default_value = "20000", default_value_if("quick", "true", "50"), value_parser = within::<u32>(1..=10_000_000))]
    history_jobs: u32,
}

pub(crate) async fn run(target: &Target, common: &Common, flags: &DrainFlags) -> Result<Report> {
    let mut report = Report::begin(target, common, "drain", flags, 3).await?;
    for rep in 1..=report.reps {
        progress(format!("drain, repetition {rep} of {}", report.reps));
        let site = target.site().await?;
        once(&site, common, flags, &mut report).await?;
        site.close().await?;
    }
    Ok(report)
}

async fn once(site: &Site, common: &Common, flags: &DrainFlags, report: &mut Report) -> Result<()> {
    let control = site.session().await?;
    history::make(site, flags.history_ranges, flags.history_jobs).await?;
    report.commit_took(commit_cost(&control, common.commits()).await?);

    let mark = WalMark::set(&control).await?;
    let took = load(site, dealt(flags.jobs, flags.tenants, 1_000), 2).await?;
    let loaded = mark.since(&control).await?;
    let per_second = |took: Duration| flags.jobs as f64 / took.as_secs_f64();
    report.add("dispatch in bulk, 2 connections", "jobs/s", per_second(took));

    let mark = WalMark::set(&control).await?;
    let took = match flags.through {
        Through::Worker => work::drain(site, flags.fleet.fleet(flags.workers), flags.jobs).await?,
        Through::Sql => by_sql(site, flags).await?,
    };
    let drained = mark.since(&control).await?;
    report.add("drain", "jobs/s", per_second(took));
    loaded.per_job(report, "dispatch", flags.jobs);
    drained.per_job(report, "claim and settle", flags.jobs);
    let finished = site.finished(&control).await?;
    ensure!(finished == flags.jobs, "{finished} of {} jobs are finished", flags.jobs);
    Ok(())
}

async fn by_sql(site: &Site, flags: &DrainFlags) -> Result<Duration> {
    let mut claimers = Vec::new();
    for number in 0..flags.workers {
        claimers.push(Claimer::open(site, format!("bench-{number}"), flags.claim).await?);
    }
    let ticker = Ticker::start(site).await?;
    let (settled, jobs) = (Arc::new(AtomicU64::new(0)), flags.jobs);
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for mut claimer in claimers {
        let settled = settled.clone();
        tasks.spawn(async move {
            while settled.load(Ordering::Relaxed) < jobs {
                let (done, claimed) = claimer.turn().await?;
                settled.fetch_add(done, Ordering::Relaxed);
                if done == 0 && claimed.is_empty() {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    let took = start.elapsed();
    ticker.stop().await?;
    Ok(took)
}
