//! `bench payloads`: what a dispatch costs by the size of its payload.

use clap::Args;
use serde::Serialize;

use super::counters::Counters;
use super::machine::commit_cost;
use super::options::Common;
use super::place::{Place, Session, Site};
use super::push::{Push, Way};
use super::report::Report;
use super::spread::ratio;
use super::ticker::Ticker;
use super::wal::WalMark;
use super::{progress, surroundings};
use crate::value::within;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Bytes of a payload; each size is measured, the first is what the others are held against
    #[arg(long, value_name = "BYTES", value_delimiter = ',', default_values_t = [200, 1_000, 2_000, 4_000], value_parser = within::<usize>(60..=1_000_000))]
    bytes: Vec<usize>,
    /// How long each measurement runs [default: 2]
    #[arg(long, value_name = "SECONDS", value_parser = within::<f64>(0.1..=86_400.0))]
    seconds: Option<f64>,
    /// How many tenants the jobs are dealt to [default: 500]
    #[arg(long, value_name = "N", value_parser = within::<u64>(1..=1_000_000))]
    tenants: Option<u64>,
    /// Jobs of a bulk dispatch
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = within::<usize>(2..=10_000))]
    bulk: usize,
}

#[derive(Debug, Serialize)]
struct Sizes {
    bytes: Vec<usize>,
    seconds: f64,
    tenants: u64,
    bulk: usize,
    reps: u32,
}

pub(crate) async fn run(
    place: &Place,
    common: &Common,
    options: &Options,
) -> anyhow::Result<Report> {
    let sizes = Sizes {
        bytes: options.bytes.clone(),
        seconds: common.size(options.seconds, 2.0, 0.1),
        tenants: common.size(options.tenants, 500, 10),
        bulk: options.bulk,
        reps: common.reps(3),
    };
    let mut report = Report::new("payloads", &sizes, surroundings(place).await?)?;
    for rep in 1..=sizes.reps {
        progress(format!("payloads, repetition {rep} of {}", sizes.reps));
        let site = place.site().await?;
        let control = site.session().await?;
        report.commit_took(commit_cost(&control, common.commits()).await?);
        let ticker = Ticker::start(&site).await?;
        for jobs in [1, sizes.bulk] {
            // the tables grow, so the sizes take turns at being first
            let mut first_to_last: Vec<usize> = (0..sizes.bytes.len()).collect();
            first_to_last.rotate_left((rep as usize - 1) % sizes.bytes.len());
            let mut speeds = vec![0.0; sizes.bytes.len()];
            for place in first_to_last {
                let push = Push {
                    way: Way::Dispatch,
                    connections: 1,
                    jobs,
                    tenants: sizes.tenants,
                    seconds: sizes.seconds,
                    bytes: Some(sizes.bytes[place]),
                };
                speeds[place] = once(&site, &control, push, &mut report).await?;
            }
            compare(&sizes, jobs, &speeds, &mut report);
        }
        ticker.stop().await?;
        drop(control);
        site.close().await?;
    }
    Ok(report)
}

fn name(jobs: usize, bytes: usize) -> String {
    if jobs == 1 { format!("single, {bytes} B") } else { format!("bulk of {jobs}, {bytes} B") }
}

/// Answers jobs a second.
async fn once(
    site: &Site,
    control: &Session,
    push: Push,
    report: &mut Report,
) -> anyhow::Result<f64> {
    let name = name(push.jobs, push.bytes.unwrap_or_default());
    let (mark, before) = (WalMark::set(control).await?, Counters::read(site, control).await?);
    let (jobs, speed) = push.run(site).await?;
    let after = Counters::read(site, control).await?;
    report.add(&name, "jobs/s", speed);
    if let Some(cpu) = after.cpu_since(&before) {
        report.add(format!("{name}: server CPU a job"), "µs", ratio(cpu * 1e6, jobs as f64));
    }
    mark.since(control).await?.per_job(report, &name, jobs);
    Ok(speed)
}

/// Every size against the first one.
fn compare(sizes: &Sizes, jobs: usize, speeds: &[f64], report: &mut Report) {
    for (&bytes, &speed) in sizes.bytes.iter().zip(speeds).skip(1) {
        let (this, first) = (name(jobs, bytes), sizes.bytes[0]);
        report.add(format!("{this} / {first} B, jobs a second"), "ratio", ratio(speed, speeds[0]));
    }
}
