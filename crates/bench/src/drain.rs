//! `bench drain`: a full queue, handlers that do nothing, until it is empty.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::Args;
use serde::Serialize;

use crate::flags::{Fleet, Through, within};
use crate::load::{Kind, dealt, load};
use crate::scenario::{OnOneSite, Stage};
use crate::staff::Staff;
use crate::target::Site;
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
    fleet: Fleet,
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

impl OnOneSite for DrainFlags {
    const NAME: &'static str = "drain";
    const REPS: u32 = 3;

    async fn once(&self, site: &Site, stage: &mut Stage<'_>) -> Result<()> {
        history::make(site, self.history_ranges, self.history_jobs).await?;
        stage.note_commit(site).await?;
        let report = &mut stage.report;
        let mark = WalMark::set(site).await?;
        let took = load(site, dealt(self.jobs, self.tenants, 1_000), Kind::default()).await?;
        let loaded = mark.since(site).await?;
        let per_second = |took: Duration| self.jobs as f64 / took.as_secs_f64();
        report.add("dispatch in bulk, 2 connections", "jobs/s", per_second(took));

        let mark = WalMark::set(site).await?;
        let took = match self.through {
            Through::Worker => work::drain(site, &self.fleet, self.workers, self.jobs).await?,
            Through::Sql => self.by_sql(site).await?,
        };
        let drained = mark.since(site).await?;
        report.add("drain", "jobs/s", per_second(took));
        loaded.per_job(report, "dispatch", self.jobs);
        drained.per_job(report, "claim and settle", self.jobs);
        let finished = site.finished().await?;
        ensure!(finished == self.jobs, "{finished} of {} jobs are finished", self.jobs);
        Ok(())
    }
}

impl DrainFlags {
    async fn by_sql(&self, site: &Site) -> Result<Duration> {
        let mut staff = Staff::of_connections(site, self.workers, self.claim).await?;
        let start = Instant::now();
        staff.until(|tally| tally.completed() >= self.jobs, f64::INFINITY).await?;
        let took = start.elapsed();
        staff.stop().await?;
        Ok(took)
    }
}
