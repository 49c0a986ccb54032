//! `bench everyday`: one tenant's flood, and a thousand others that send a job a second each.
//!
//! Held against the same flood beside the same dispatching into a queue that no worker claims, so that
//! the ratio shows what serving the small ones costs, not what dispatching costs.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use crate::flags::{Common, FleetFlags, Through, within};
use crate::load::{load, tenant};
use crate::machine::commit_cost;
use crate::pacer::{Pace, Pacer};
use crate::progress::progress;
use crate::report::Report;
use crate::spread::{Samples, ratio};
use crate::staff::Staff;
use crate::tally::Tally;
use crate::target::{Site, Target};

#[derive(Debug, Clone, Args, Serialize)]
pub(crate) struct EverydayFlags {
    /// Jobs of the flood
    #[arg(long, value_name = "N", default_value = "1000000", default_value_if("quick", "true", "30000"), value_parser = within::<u64>(1..=1_000_000_000))]
    flood: u64,
    /// Measure while at least this many of them wait
    #[arg(long, value_name = "N", default_value = "300000", default_value_if("quick", "true", "1000"), value_parser = within::<u64>(1..=1_000_000_000))]
    keep: u64,
    /// How many small tenants, sending a job a second each
    #[arg(long, value_name = "N", default_value = "1000", default_value_if("quick", "true", "100"), value_parser = within::<u64>(1..=1_000_000))]
    tenants: u64,
    /// Who works
    #[arg(long, value_enum, default_value_t = Through::Worker)]
    through: Through,
    /// Workers in this process, or connections with --through sql
    #[arg(long, value_name = "N", default_value = "2", default_value_if("through", "sql", "4"), value_parser = within::<usize>(1..=64))]
    workers: usize,
    #[command(flatten)]
    fleet: FleetFlags,
    /// Jobs a claim takes, with --through sql
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = within::<i32>(1..=1_000))]
    claim: i32,
    /// Connections that dispatch
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = within::<u64>(1..=64))]
    dispatchers: u64,
}

pub(crate) async fn run(target: &Target, common: &Common, flags: &EverydayFlags) -> Result<Report> {
    let mut report = Report::begin(target, common, "everyday", flags, 5).await?;
    for rep in 1..=report.reps {
        let mut speeds = [0.0; 2];
        for turn in 0..2 {
            // which comes first alternates
            let claimed = (turn + rep) % 2 == 1;
            progress(format!("everyday, repetition {rep} of {}, {}", report.reps, name(claimed)));
            let site = target.site().await?;
            report.commit_took(commit_cost(&site.session().await?, common.commits()).await?);
            speeds[usize::from(claimed)] = once(&site, common, flags, claimed, &mut report).await?;
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
    common: &Common,
    flags: &EverydayFlags,
    claimed: bool,
    report: &mut Report,
) -> Result<f64> {
    load(site, vec![vec![tenant(0); 1_000]; usize::try_from(flags.flood / 1_000)?], 2).await?;
    let pace = Pace {
        queue: if claimed { site.queue.clone() } else { format!("{}-elsewhere", site.queue) },
        first_tenant: 1,
        tenants: flags.tenants,
        types: 1,
        rate: flags.tenants as f64,
        connections: flags.dispatchers,
    };
    let tally = Arc::new(Tally::default());
    let pacer = Pacer::start(site, &pace).await?;
    let mut staff = match flags.through {
        Through::Worker => {
            Staff::of_workers(site, flags.fleet.fleet(flags.workers), &tally).await?
        }
        Through::Sql => Staff::of_connections(site, flags.workers, flags.claim, &tally).await?,
    };
    // connections have just been made and plan their statements
    tokio::time::sleep(Duration::from_secs_f64(common.shrunk(1.0, 0.1))).await;
    tally.start_anew();
    let claims_before = staff.claim_sizes();
    let from = tokio::time::Instant::now();
    while tally.flood_ever() + flags.keep < flags.flood {
        staff.check()?;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let completed = tally.completed();
    let speed = completed as f64 / from.elapsed().as_secs_f64();
    let waits = Samples::of(tally.waits());
    let claims = staff.claim_sizes();
    let claims = claims.iter().zip(claims_before).map(|(after, before)| (after - before) as f64);
    let claims: Vec<f64> = claims.collect();
    staff.stop().await?;
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
