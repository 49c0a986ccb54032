//! `bench fairness`: a thousand small tenants behind one tenant's million.

use std::collections::HashSet;
use std::time::Instant;

use anyhow::{Result, ensure};
use clap::Args;
use serde::Serialize;

use crate::claimer::Claimer;
use crate::flags::within;
use crate::load::{Kind, flood, load, one_each};
use crate::progress::progress;
use crate::report::Report;
use crate::scenario::{Scenario, Stage};
use crate::spread::{P50, P99, Samples};
use crate::target::Site;
use crate::ticker;

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

impl Scenario for FairnessFlags {
    const NAME: &'static str = "fairness";
    const REPS: u32 = 3;

    async fn run(&self, stage: &mut Stage<'_>) -> Result<()> {
        let runs = stage.reps as usize * self.claims.len();
        ensure!(
            runs < self.each,
            "each run takes a job of every small tenant: give --each more than {runs}"
        );
        progress(format!("loading {} jobs of one tenant", self.flood));
        let site = stage.target.site().await?;
        load(&site, flood(self.flood), Kind::default()).await?;
        load(&site, one_each(self.tenants, self.each), Kind::default()).await?;
        while stage.repeats() {
            for &claim in &self.claims {
                self.once(&site, claim, &mut stage.report).await?;
            }
        }
        site.close().await
    }
}

impl FairnessFlags {
    /// One claimer without a place in the round, until it has met every tenant.
    async fn once(&self, site: &Site, claim: i32, report: &mut Report) -> Result<()> {
        let ticker = ticker::start(site).await?;
        let mut claimer = Claimer::open(site, "bench-fairness".to_owned(), claim).await?;
        let everybody = self.tenants + 1;
        let (mut seen, mut claimed, mut took) = (HashSet::new(), 0_u64, Vec::new());
        while (seen.len() as u64) < everybody {
            let start = Instant::now();
            let jobs = claimer.claim().await?;
            took.push(start.elapsed().as_secs_f64() * 1e3);
            ensure!(!jobs.is_empty(), "the queue ran dry before every tenant was served");
            claimed += jobs.len() as u64;
            seen.extend(jobs.iter().map(|job| job.tenant));
            claimer.settle().await?;
        }
        ticker.stop().await?;
        let what = format!("claims of {claim}");
        let name = format!("{what}: jobs claimed until all {everybody} tenants were served");
        report.add(name, "jobs", claimed as f64);
        report.times(&format!("{what}: one claim"), &Samples::of(took), &[P50, P99]);
        Ok(())
    }
}
