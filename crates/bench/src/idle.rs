//! `bench idle`: what workers cost that have nothing to do.

use std::time::Duration;

use anyhow::Result;
use clap::Args;
use serde::Serialize;
use tokio::time::Instant;

use crate::counters::Counters;
use crate::flags::{Common, within};
use crate::progress::progress;
use crate::report::Report;
use crate::target::{Site, Target};
use crate::wal::WalMark;
use crate::work::Idle;

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

pub(crate) async fn run(target: &Target, common: &Common, flags: &IdleFlags) -> Result<Report> {
    let mut report = Report::begin(target, common, "idle", flags, 1).await?;
    for rep in 1..=report.reps {
        for &workers in [0].iter().chain(&flags.workers) {
            let who = match workers {
                0 => "no worker".to_owned(),
                1 => "1 idle worker".to_owned(),
                more => format!("{more} idle workers"),
            };
            progress(format!("idle, {who}, repetition {rep} of {}", report.reps));
            let site = target.site().await?;
            let idle = Idle::start(&site, workers).await?;
            tokio::time::sleep(Duration::from_secs_f64(flags.rest)).await;
            watch(&site, flags, &who, &mut report).await?;
            idle.stop().await?;
            site.close().await?;
        }
    }
    Ok(report)
}

async fn watch(site: &Site, flags: &IdleFlags, who: &str, report: &mut Report) -> Result<()> {
    let session = site.session().await?;
    let mark = WalMark::set(&session).await?;
    let (before, start) = (Counters::read(site, &session).await?, Instant::now());
    tokio::time::sleep(Duration::from_secs_f64(flags.seconds)).await;
    let (after, took) = (Counters::read(site, &session).await?, start.elapsed().as_secs_f64());
    let written = mark.since(&session).await?;
    let transactions = after.transactions_since(&before);
    report.add(format!("{who}: transactions a second"), "tx/s", transactions / took);
    report.add(format!("{who}: WAL a second"), "B/s", written.bytes / took);
    if let Some(cpu) = after.cpu_since(&before) {
        report.add(format!("{who}: server CPU, share of a core"), "%", 100.0 * cpu / took);
    }
    Ok(())
}
