//! `bench payloads`: what a dispatch costs by the size of its payload.

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use crate::counters::Counters;
use crate::flags::{Common, within};
use crate::machine::commit_cost;
use crate::progress::progress;
use crate::push::{Push, Way};
use crate::report::Report;
use crate::spread::ratio;
use crate::target::{Session, Site, Target};
use crate::ticker::Ticker;
use crate::wal::WalMark;

#[derive(Debug, Clone, Args, Serialize)]
pub(crate) struct PayloadsFlags {
    /// Bytes of a payload; each size is measured, the first is what the others are held against
    #[arg(long, value_name = "BYTES", value_delimiter = ',', default_values_t = [200, 1_000, 2_000, 4_000], value_parser = within::<usize>(60..=1_000_000))]
    bytes: Vec<usize>,
    /// How long each measurement runs
    #[arg(long, value_name = "SECONDS", default_value = "2", default_value_if("quick", "true", "0.1"), value_parser = within::<f64>(0.1..=86_400.0))]
    seconds: f64,
    /// How many tenants the jobs are dealt to
    #[arg(long, value_name = "N", default_value = "500", default_value_if("quick", "true", "10"), value_parser = within::<u64>(1..=1_000_000))]
    tenants: u64,
    /// Jobs of a bulk dispatch
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = within::<usize>(2..=10_000))]
    bulk: usize,
}

pub(crate) async fn run(target: &Target, common: &Common, flags: &PayloadsFlags) -> Result<Report> {
    let mut report = Report::begin(target, common, "payloads", flags, 3).await?;
    for rep in 1..=report.reps {
        progress(format!("payloads, repetition {rep} of {}", report.reps));
        let site = target.site().await?;
        let control = site.session().await?;
        report.commit_took(commit_cost(&control, common.commits()).await?);
        let ticker = Ticker::start(&site).await?;
        for jobs in [1, flags.bulk] {
            // the tables grow, so the options take turns at being first
            let mut first_to_last: Vec<usize> = (0..flags.bytes.len()).collect();
            first_to_last.rotate_left((rep as usize - 1) % flags.bytes.len());
            let mut speeds = vec![0.0; flags.bytes.len()];
            for place in first_to_last {
                let push = Push {
                    way: Way::Dispatch,
                    connections: 1,
                    jobs,
                    tenants: flags.tenants,
                    seconds: flags.seconds,
                    bytes: Some(flags.bytes[place]),
                };
                speeds[place] = once(&site, &control, push, &mut report).await?;
            }
            compare(flags, jobs, &speeds, &mut report);
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
async fn once(site: &Site, control: &Session, push: Push, report: &mut Report) -> Result<f64> {
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
fn compare(flags: &PayloadsFlags, jobs: usize, speeds: &[f64], report: &mut Report) {
    for (&bytes, &speed) in flags.bytes.iter().zip(speeds).skip(1) {
        let (this, first) = (name(jobs, bytes), flags.bytes[0]);
        report.add(format!("{this} / {first} B, jobs a second"), "ratio", ratio(speed, speeds[0]));
    }
}
