//! `bench latency`: an idle queue, one job now and then.

use std::time::Duration;

use anyhow::Context;
use clap::Args;
use serde::Serialize;
use tokio::time::{Instant, timeout};

use super::load::{TYPE, tenant};
use super::machine::commit_cost;
use super::options::Common;
use super::place::{Place, Site};
use super::report::Report;
use super::spread::Samples;
use super::{progress, surroundings, work};
use crate::value::within;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How many jobs, one at a time [default: 500]
    #[arg(long, value_name = "N", value_parser = within::<u64>(1..=1_000_000_000))]
    jobs: Option<u64>,
    /// Workers in this process that wait for them
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = within::<usize>(1..=64))]
    workers: usize,
}

#[derive(Debug, Serialize)]
struct Sizes {
    jobs: u64,
    workers: usize,
    reps: u32,
}

pub(crate) async fn run(
    place: &Place,
    common: &Common,
    options: &Options,
) -> anyhow::Result<Report> {
    let sizes = Sizes {
        jobs: common.size(options.jobs, 500, 10),
        workers: options.workers,
        reps: common.reps(3),
    };
    let mut report = Report::new("latency", &sizes, surroundings(place).await?)?;
    for rep in 1..=sizes.reps {
        progress(format!("latency, repetition {rep} of {}", sizes.reps));
        let site = place.site().await?;
        let session = site.session().await?;
        let commit = commit_cost(&session, common.commits()).await?;
        report.commit_took(commit);
        let (took, dispatched) = once(&site, &sizes).await?;
        report.add("dispatch itself, p50", "ms", dispatched.percentile(0.5));
        for (what, share) in [("p50", 0.5), ("p99", 0.99), ("max", 1.0)] {
            let name = format!("commit returned to handler start, {what}");
            report.add(name, "ms", took.percentile(share));
        }
        let name = "commit returned to handler start, p50 less one fsync";
        report.add(name, "ms", (took.percentile(0.5) - commit).max(0.0));
        site.close().await?;
    }
    Ok(report)
}

/// From commit to handler start, and how long the dispatches took, in milliseconds.
async fn once(site: &Site, sizes: &Sizes) -> anyhow::Result<(Samples, Samples)> {
    let mut starts = work::Starts::listen(site, sizes.workers).await?;
    let session = site.session().await?;
    let statement =
        session.prepare("select fairclaim.dispatch_job($1, $2, $3::text::jsonb, $4)").await?;
    let (mut waits, mut dispatches) = (Vec::new(), Vec::new());
    for job in 0..sizes.jobs {
        // uneven, so that no poll of the worker's falls into step with it
        tokio::time::sleep(Duration::from_millis(20 + job * 7_919 % 60)).await;
        let begin = Instant::now();
        let payload = format!(r#"{{"n": {job}}}"#);
        session.query(&statement, &[&tenant(job % 10), &TYPE, &payload, &site.queue]).await?;
        let committed = Instant::now();
        let started = timeout(Duration::from_secs(30), starts.next())
            .await
            .context("no handler started within 30 s")??;
        dispatches.push(committed.duration_since(begin).as_secs_f64() * 1e3);
        // a worker can be quicker than the answer's way back to us
        waits.push(started.saturating_duration_since(committed).as_secs_f64() * 1e3);
    }
    starts.stop().await?;
    Ok((Samples::of(waits), Samples::of(dispatches)))
}
