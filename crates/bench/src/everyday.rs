//! `bench everyday`: one tenant's flood, and a thousand others that send a job a second each.
//!
//! Held against the same flood beside the same dispatching into a queue that no worker claims, so that
//! the ratio shows what serving the small ones costs, not what dispatching costs.

use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use crate::flags::{Fleet, Through, within};
use crate::load::{Kind, flood, load};
use crate::pacer::{Pace, Pacer};
use crate::scenario::{Scenario, Stage};
use crate::spread::{MAX, P50, P99, ratio};
use crate::staff::Staff;
use crate::target::Site;

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
    fleet: Fleet,
    /// Jobs a claim takes, with --through sql
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = within::<i32>(1..=1_000))]
    claim: i32,
    /// Connections that dispatch
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = within::<usize>(1..=64))]
    dispatchers: usize,
}

impl Scenario for EverydayFlags {
    const NAME: &'static str = "everyday";
    const REPS: u32 = 5;

    async fn run(&self, stage: &mut Stage<'_>) -> Result<()> {
        while stage.repeats() {
            let mut speeds = [0.0; 2];
            for place in stage.in_turn(2) {
                let claimed = place == 0;
                let site = stage.site(&format!("everyday, {}", name(claimed))).await?;
                stage.note_commit(&site).await?;
                speeds[place] = self.once(&site, stage, claimed).await?;
                site.close().await?;
            }
            let name = "total with trickle / same dispatching elsewhere";
            stage.report.ratio(name, speeds[0], speeds[1]);
        }
        Ok(())
    }
}

fn name(claimed: bool) -> &'static str {
    if claimed { "trickle beside the flood" } else { "same dispatching elsewhere" }
}

impl EverydayFlags {
    /// One flood; answers how many jobs a second were completed while enough of it waited.
    async fn once(&self, site: &Site, stage: &mut Stage<'_>, claimed: bool) -> Result<f64> {
        load(site, flood(self.flood), Kind::default()).await?;
        let mut pace = Pace::new(site, self.tenants, self.tenants as f64, self.dispatchers);
        if !claimed {
            pace.queue += "-elsewhere";
        }
        let pacer = Pacer::start(site, pace).await?;
        let mut staff = match self.through {
            Through::Worker => Staff::of_workers(site, &self.fleet, self.workers).await?,
            Through::Sql => Staff::of_connections(site, self.workers, self.claim).await?,
        };
        // connections have just been made and plan their statements
        tokio::time::sleep(Duration::from_secs_f64(stage.common.shrunk(1.0, 0.1))).await;
        staff.tally.start_anew();
        let (claims_before, from) = (staff.claim_sizes(), Instant::now());
        staff.until(|tally| tally.flood_ever() + self.keep >= self.flood, f64::INFINITY).await?;
        let completed = staff.tally.completed() as f64;
        let speed = completed / from.elapsed().as_secs_f64();
        let (waits, claims) = (staff.tally.waits(), staff.claim_sizes());
        staff.stop().await?;
        let late = pacer.stop().await?.late;

        let claims = claims.iter().zip(claims_before);
        let claims: Vec<f64> = claims.map(|(after, before)| (after - before) as f64).collect();
        let (name, report) = (name(claimed), &mut stage.report);
        report.add(format!("{name}: completed"), "jobs/s", speed);
        let each = ratio(completed, claims.iter().skip(1).sum());
        report.add(format!("{name}: jobs a claim that gave some"), "jobs", each);
        let series = format!("{name}: claims of 0, 1, 2-3, 4-7, ... 512-1000 jobs");
        report.series(series, "claims", claims);
        report.times(&format!("{name}: a dispatch began late"), &late, &[P99]);
        if claimed {
            report.add("small tenants: jobs served", "jobs", waits.len() as f64);
            let what = "small tenants: dispatch to handler start";
            report.times(what, &waits, &[P50, P99, MAX]);
        }
        Ok(speed)
    }
}
