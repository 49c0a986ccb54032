//! `bench everyday`: one tenant's flood, and a thousand others that send a job a second each.
//!
//! Held against the same flood beside the same dispatching into a queue that nobody claims, so that
//! the ratio shows what serving the small ones costs, not what dispatching costs.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::crew::Crew;
use super::load::{load, tenant};
use super::machine::commit_cost;
use super::options::{Common, FleetOptions, Through};
use super::pacer::{Pace, Pacer};
use super::place::{Place, Site};
use super::report::Report;
use super::spread::{Samples, ratio};
use super::tally::Tally;
use super::work::Fleet;
use super::{progress, surroundings};
use crate::value::within;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Jobs of the flood [default: 1000000]
    #[arg(long, value_name = "N", value_parser = within::<u64>(1..=1_000_000_000))]
    flood: Option<u64>,
    /// Measure while at least this many of them wait [default: 300000]
    #[arg(long, value_name = "N", value_parser = within::<u64>(1..=1_000_000_000))]
    keep: Option<u64>,
    /// How many small tenants, sending a job a second each [default: 1000]
    #[arg(long, value_name = "N", value_parser = within::<u64>(1..=1_000_000))]
    tenants: Option<u64>,
    /// Who works
    #[arg(long, value_enum, default_value_t = Through::Worker)]
    through: Through,
    #[command(flatten)]
    fleet: FleetOptions,
    /// Jobs a claim takes, with --through sql
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = within::<i32>(1..=1_000))]
    claim: i32,
    /// Connections that dispatch
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = within::<u64>(1..=64))]
    dispatchers: u64,
}

#[derive(Debug, Serialize)]
struct Sizes {
    flood: u64,
    keep: u64,
    tenants: u64,
    through: Through,
    fleet: Fleet,
    claim: i32,
    dispatchers: u64,
    warm_up: f64,
    reps: u32,
}

pub(crate) async fn run(
    place: &Place,
    common: &Common,
    options: &Options,
) -> anyhow::Result<Report> {
    let usual = if options.through == Through::Worker { 2 } else { 4 };
    let sizes = Sizes {
        flood: common.size(options.flood, 1_000_000, 30_000),
        keep: common.size(options.keep, 300_000, 1_000),
        tenants: common.size(options.tenants, 1_000, 100),
        through: options.through,
        fleet: options.fleet.fleet(usual),
        claim: options.claim,
        dispatchers: options.dispatchers,
        warm_up: common.size(None, 1.0, 0.1),
        reps: common.reps(5),
    };
    let mut report = Report::new("everyday", &sizes, surroundings(place).await?)?;
    for rep in 1..=sizes.reps {
        let mut speeds = [0.0; 2];
        for turn in 0..2 {
            // which comes first alternates
            let claimed = (turn + rep) % 2 == 1;
            progress(format!("everyday, repetition {rep} of {}, {}", sizes.reps, name(claimed)));
            let site = place.site().await?;
            report.commit_took(commit_cost(&site.session().await?, common.commits()).await?);
            speeds[usize::from(claimed)] = once(&site, &sizes, claimed, &mut report).await?;
            site.close().await?;
        }
        report.add(
            "total with trickle / same dispatching elsewhere",
            "ratio",
            ratio(speeds[1], speeds[0]),
        );
    }
    Ok(report)
}

fn name(claimed: bool) -> &'static str {
    if claimed { "trickle beside the flood" } else { "same dispatching elsewhere" }
}

/// One flood; answers how many jobs a second were completed while enough of it waited.
async fn once(
    site: &Site,
    sizes: &Sizes,
    claimed: bool,
    report: &mut Report,
) -> anyhow::Result<f64> {
    load(site, vec![vec![tenant(0); 1_000]; usize::try_from(sizes.flood / 1_000)?], 2).await?;
    let pace = Pace {
        queue: if claimed { site.queue.clone() } else { format!("{}-elsewhere", site.queue) },
        first_tenant: 1,
        tenants: sizes.tenants,
        types: 1,
        rate: sizes.tenants as f64,
        connections: sizes.dispatchers,
    };
    let tally = Arc::new(Tally::default());
    let pacer = Pacer::start(site, &pace).await?;
    let mut crew = match sizes.through {
        Through::Worker => Crew::of_workers(site, sizes.fleet, &tally).await?,
        Through::Sql => {
            Crew::of_connections(site, sizes.fleet.workers, sizes.claim, &tally).await?
        }
    };
    // connections have just been made and plan their statements
    tokio::time::sleep(Duration::from_secs_f64(sizes.warm_up)).await;
    tally.start_anew();
    let claims_before = crew.claim_sizes();
    let from = tokio::time::Instant::now();
    while tally.flood_ever() + sizes.keep < sizes.flood {
        crew.check()?;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let completed = tally.completed();
    let speed = completed as f64 / from.elapsed().as_secs_f64();
    let waits = Samples::of(tally.waits());
    let claims = crew.claim_sizes();
    let claims = claims.iter().zip(claims_before).map(|(after, before)| (after - before) as f64);
    let claims: Vec<f64> = claims.collect();
    crew.stop().await?;
    let late = pacer.stop().await?.late;
    let name = name(claimed);
    report.add(format!("{name}: completed"), "jobs/s", speed);
    let gave_jobs: f64 = claims.iter().skip(1).sum();
    let each = ratio(completed as f64, gave_jobs);
    report.add(format!("{name}: jobs a claim that gave some"), "jobs", each);
    let series = format!("{name}: claims of 0, 1, 2-3, 4-7, ... 512-1000 jobs");
    report.series(series, "claims", claims);
    report.add(format!("{name}: a dispatch began late, p99"), "ms", late.percentile(0.99));
    if claimed {
        report.add("small tenants: jobs served", "jobs", waits.len() as f64);
        for (what, wait) in
            [("p50", waits.percentile(0.5)), ("p99", waits.percentile(0.99)), ("max", waits.max())]
        {
            report.add(format!("small tenants: dispatch to handler start, {what}"), "ms", wait);
        }
    }
    Ok(speed)
}
