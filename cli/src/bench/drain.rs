//! `bench drain`: a full queue, handlers that do nothing, until it is empty.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use clap::Args;
use serde::Serialize;
use tokio::task::JoinSet;

use super::claimer::Claimer;
use super::load::{dealt, load};
use super::machine::commit_cost;
use super::options::{Common, FleetOptions, Through};
use super::place::{Place, Site};
use super::report::Report;
use super::ticker::Ticker;
use super::wal::WalMark;
use super::work::Fleet;
use super::{history, progress, surroundings, work};
use crate::value::within;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How many jobs [default: 200000]
    #[arg(long, value_name = "N", value_parser = within::<u64>(1..=1_000_000_000))]
    jobs: Option<u64>,
    /// How many tenants they are dealt to [default: 1000]
    #[arg(long, value_name = "N", value_parser = within::<u64>(1..=1_000_000))]
    tenants: Option<u64>,
    /// Who works them off
    #[arg(long, value_enum, default_value_t = Through::Worker)]
    through: Through,
    #[command(flatten)]
    fleet: FleetOptions,
    /// Jobs a claim takes, with --through sql
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = within::<i32>(1..=1_000))]
    claim: i32,
    /// First make this many ranges of finished jobs
    #[arg(long, value_name = "K", default_value_t = 0, value_parser = within::<u32>(0..=1_000))]
    history_ranges: u32,
    /// Finished jobs in each of those ranges [default: 20000]
    #[arg(long, value_name = "N", value_parser = within::<u32>(1..=10_000_000))]
    history_jobs: Option<u32>,
}

/// The sizes of a run.
#[derive(Debug, Clone, Serialize)]
struct Sizes {
    jobs: u64,
    tenants: u64,
    through: Through,
    fleet: Fleet,
    claim: i32,
    history_ranges: u32,
    history_jobs: u32,
    reps: u32,
    connection: String,
}

pub(crate) async fn run(
    place: &Place,
    common: &Common,
    options: &Options,
) -> anyhow::Result<Report> {
    let sizes = Sizes {
        jobs: common.size(options.jobs, 200_000, 500),
        tenants: common.size(options.tenants, 1_000, 20),
        through: options.through,
        fleet: options.fleet.fleet(2),
        claim: options.claim,
        history_ranges: options.history_ranges,
        history_jobs: common.size(options.history_jobs, 20_000, 50),
        reps: common.reps(3),
        connection: place.mode().await?.to_string(),
    };
    let mut report = Report::new("drain", &sizes, surroundings(place).await?)?;
    for rep in 1..=sizes.reps {
        progress(format!("drain, repetition {rep} of {}", sizes.reps));
        let site = place.site().await?;
        once(&site, common, &sizes, &mut report).await?;
        site.close().await?;
    }
    Ok(report)
}

async fn once(
    site: &Site,
    common: &Common,
    sizes: &Sizes,
    report: &mut Report,
) -> anyhow::Result<()> {
    let control = site.session().await?;
    history::make(site, sizes.history_ranges, sizes.history_jobs).await?;
    report.commit_took(commit_cost(&control, common.commits()).await?);

    let mark = WalMark::set(&control).await?;
    let took = load(site, dealt(sizes.jobs, sizes.tenants, 1_000), 2).await?;
    let loaded = mark.since(&control).await?;
    let per_second = |took: Duration| sizes.jobs as f64 / took.as_secs_f64();
    report.add("dispatch in bulk, 2 connections", "jobs/s", per_second(took));

    let mark = WalMark::set(&control).await?;
    let took = match sizes.through {
        Through::Worker => work::drain(site, sizes.fleet, sizes.jobs).await?,
        Through::Sql => by_sql(site, sizes).await?,
    };
    let drained = mark.since(&control).await?;
    report.add("drain", "jobs/s", per_second(took));
    loaded.per_job(report, "dispatch", sizes.jobs);
    drained.per_job(report, "claim and settle", sizes.jobs);
    let finished = site.finished(&control).await?;
    ensure!(finished == sizes.jobs, "{finished} of {} jobs are finished", sizes.jobs);
    Ok(())
}

async fn by_sql(site: &Site, sizes: &Sizes) -> anyhow::Result<Duration> {
    let mut claimers = Vec::new();
    for number in 0..sizes.fleet.workers {
        claimers.push(Claimer::open(site, format!("bench-{number}"), sizes.claim).await?);
    }
    let ticker = Ticker::start(site).await?;
    let (settled, jobs) = (Arc::new(AtomicU64::new(0)), sizes.jobs);
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
