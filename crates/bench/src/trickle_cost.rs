//! `bench trickle-cost`: few jobs a second through the library's workers, and what each of them
//! costs.

use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Args;
use serde::Serialize;

use crate::counters::Counters;
use crate::flags::{Fleet, within};
use crate::pacer::{Pace, Pacer};
use crate::scenario::{Scenario, Stage};
use crate::spread::{MAX, P50, P99, ratio};
use crate::staff::Staff;
use crate::target::Site;
use crate::wal::WalMark;

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
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = within::<usize>(1..=64))]
    dispatchers: usize,
    /// Workers in this process
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = within::<usize>(1..=30))]
    workers: usize,
    /// Handlers at once in one worker
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = within::<usize>(1..=10_000))]
    concurrency: usize,
}

impl Scenario for TrickleCostFlags {
    const NAME: &'static str = "trickle-cost";
    const REPS: u32 = 3;

    async fn run(&self, stage: &mut Stage<'_>) -> Result<()> {
        while stage.repeats() {
            for &rate in &self.rates {
                let site = stage.site(&format!("trickle-cost, {rate} jobs/s")).await?;
                self.once(&site, rate, stage).await?;
                site.close().await?;
            }
        }
        Ok(())
    }
}

impl TrickleCostFlags {
    async fn once(&self, site: &Site, rate: f64, stage: &mut Stage<'_>) -> Result<()> {
        let (mark, before) = (WalMark::set(site).await?, Counters::read(site).await?);
        let fleet = Fleet { concurrency: self.concurrency, connections: 2, max_batch: 500 };
        let mut staff = Staff::of_workers(site, &fleet, self.workers).await?;
        tokio::time::sleep(Duration::from_secs_f64(stage.common.shrunk(3.0, 0.3))).await;
        let pace = Pace::new(site, self.tenants, rate, self.dispatchers);
        let pacer = Pacer::start(site, pace).await?;
        tokio::time::sleep(Duration::from_secs_f64(self.seconds)).await;
        let paced = pacer.stop().await?;
        let dispatched = paced.commits.len() as u64;
        staff.until(|tally| tally.completed() >= dispatched, 60.0).await?;
        let claims = staff.claim_sizes();
        let tally = staff.stop().await?;
        let after = Counters::read_after_workers(site).await?;
        let handled = tally.completed();
        ensure!(
            handled >= dispatched,
            "{handled} of {dispatched} jobs were handled a minute after the last dispatch"
        );

        let (jobs, name, report) = (dispatched as f64, format!("{rate} jobs/s"), &mut stage.report);
        report.add(format!("{name}: jobs dispatched"), "jobs", jobs);
        report.add(format!("{name}: jobs handled"), "jobs", handled as f64);
        let transactions = (after.transactions_since(&before) - jobs).max(0.0);
        let what = "transactions a job, besides its dispatch";
        report.add(format!("{name}: {what}"), "tx", ratio(transactions, jobs));
        let all = claims.iter().sum::<u64>() as f64;
        report.add(format!("{name}: claims a job"), "claims", ratio(all, jobs));
        report.ratio(format!("{name}: claims that found nothing, share"), claims[0] as f64, all);
        if let Some(cpu) = after.cpu_since(&before) {
            report.add(format!("{name}: server CPU per 1,000 jobs"), "s", ratio(cpu * 1e3, jobs));
        }
        mark.since(site).await?.per_job(report, &name, dispatched);
        let (waits, _) = tally.since_commit(&paced.commits);
        let what = format!("{name}: commit returned to handler start");
        report.times(&what, &waits, &[P50, P99, MAX]);
        report.times(&format!("{name}: a dispatch began late"), &paced.late, &[P99]);
        Ok(())
    }
}
