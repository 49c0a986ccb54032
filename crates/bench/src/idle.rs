//! `bench idle`: what workers cost that have nothing to do.

use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use crate::counters::Counters;
use crate::flags::within;
use crate::report::Report;
use crate::scenario::{Scenario, Stage};
use crate::target::Site;
use crate::wal::WalMark;
use crate::work;

#[derive(Debug, Clone, Args, Serialize)]
pub(crate) struct IdleFlags {
    /// Numbers of idle workers to measure, besides none
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [1, 20], value_parser = within::<usize>(1..=30))]
    workers: Vec<usize>,
    /// How long workers come to rest before each measurement: their looks get rarer meanwhile
    #[arg(long, value_name = "SECONDS", default_value = "90", default_value_if("quick", "true", "0.2"), value_parser = within::<f64>(0.1..=86_400.0))]
    rest: f64,
    /// How long each measurement runs
    #[arg(long, value_name = "SECONDS", default_value = "90", default_value_if("quick", "true", "0.3"), value_parser = within::<f64>(0.1..=86_400.0))]
    seconds: f64,
}

impl Scenario for IdleFlags {
    const NAME: &'static str = "idle";
    const REPS: u32 = 1;

    async fn run(&self, stage: &mut Stage<'_>) -> Result<()> {
        while stage.repeats() {
            for &workers in [0].iter().chain(&self.workers) {
                let who = match workers {
                    0 => "no worker".to_owned(),
                    1 => "1 idle worker".to_owned(),
                    more => format!("{more} idle workers"),
                };
                let site = stage.site(&format!("idle, {who}")).await?;
                let idle = work::idle(&site, workers).await?;
                tokio::time::sleep(Duration::from_secs_f64(self.rest)).await;
                self.watch(&site, &who, &mut stage.report).await?;
                idle.stop().await?;
                site.close().await?;
            }
        }
        Ok(())
    }
}

impl IdleFlags {
    async fn watch(&self, site: &Site, who: &str, report: &mut Report) -> Result<()> {
        let mark = WalMark::set(site).await?;
        let (before, start) = (Counters::read(site).await?, Instant::now());
        tokio::time::sleep(Duration::from_secs_f64(self.seconds)).await;
        let (after, took) = (Counters::read(site).await?, start.elapsed().as_secs_f64());
        let written = mark.since(site).await?;
        let transactions = after.transactions_since(&before);
        report.add(format!("{who}: transactions a second"), "tx/s", transactions / took);
        report.add(format!("{who}: WAL a second"), "B/s", written.bytes / took);
        if let Some(cpu) = after.cpu_since(&before) {
            report.add(format!("{who}: server CPU, share of a core"), "%", 100.0 * cpu / took);
        }
        Ok(())
    }
}
