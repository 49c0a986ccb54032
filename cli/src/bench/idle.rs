//! `bench idle`: what workers cost that have nothing to do.

use std::time::Duration;

use clap::Args;
use serde::Serialize;
use tokio::time::Instant;

use super::counters::Counters;
use super::options::Common;
use super::place::{Place, Site};
use super::report::Report;
use super::wal::WalMark;
use super::work::Idle;
use super::{progress, surroundings};
use crate::value::within;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Numbers of idle workers to measure, besides none
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [1, 20], value_parser = within::<usize>(1..=30))]
    workers: Vec<usize>,
    /// How long workers come to rest before each measurement: their looks get rarer meanwhile [default: 90]
    #[arg(long, value_name = "SECONDS", value_parser = within::<f64>(0.1..=86_400.0))]
    rest: Option<f64>,
    /// How long each measurement runs [default: 90]
    #[arg(long, value_name = "SECONDS", value_parser = within::<f64>(0.1..=86_400.0))]
    seconds: Option<f64>,
}

#[derive(Debug, Serialize)]
struct Sizes {
    workers: Vec<usize>,
    rest: f64,
    seconds: f64,
    reps: u32,
    connection: String,
}

pub(crate) async fn run(
    place: &Place,
    common: &Common,
    options: &Options,
) -> anyhow::Result<Report> {
    let sizes = Sizes {
        workers: options.workers.clone(),
        rest: common.size(options.rest, 90.0, 0.2),
        seconds: common.size(options.seconds, 90.0, 0.3),
        reps: common.reps(1),
        connection: place.mode().await?.to_string(),
    };
    let mut report = Report::new("idle", &sizes, surroundings(place).await?)?;
    for rep in 1..=sizes.reps {
        for &workers in [0].iter().chain(&sizes.workers) {
            let who = match workers {
                0 => "no worker".to_owned(),
                1 => "1 idle worker".to_owned(),
                more => format!("{more} idle workers"),
            };
            progress(format!("idle, {who}, repetition {rep} of {}", sizes.reps));
            let site = place.site().await?;
            let idle = Idle::start(&site, workers).await?;
            tokio::time::sleep(Duration::from_secs_f64(sizes.rest)).await;
            watch(&site, &sizes, &who, &mut report).await?;
            idle.stop().await?;
            site.close().await?;
        }
    }
    Ok(report)
}

async fn watch(site: &Site, sizes: &Sizes, who: &str, report: &mut Report) -> anyhow::Result<()> {
    let session = site.session().await?;
    let mark = WalMark::set(&session).await?;
    let (before, start) = (Counters::read(site, &session).await?, Instant::now());
    tokio::time::sleep(Duration::from_secs_f64(sizes.seconds)).await;
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
