//! `bench latency`: an idle queue, one job now and then.

use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;
use tokio::time::{Instant, timeout};

use crate::flags::{Common, within};
use crate::load::{TYPE, tenant};
use crate::machine::commit_cost;
use crate::progress::progress;
use crate::report::Report;
use crate::spread::Samples;
use crate::target::{Site, Target};
use crate::work;

#[derive(Debug, Clone, Args, Serialize)]
pub(crate) struct LatencyFlags {
    /// How many jobs, one at a time
    #[arg(long, value_name = "N", default_value = "500", default_value_if("quick", "true", "10"), value_parser = within::<u64>(1..=1_000_000_000))]
    jobs: u64,
    /// Workers in this process that wait for them
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = within::<usize>(1..=64))]
    workers: usize,
}

pub(crate) async fn run(target: &Target, common: &Common, flags: &LatencyFlags) -> Result<Report> {
    let mut report = Report::begin(target, common, "latency", flags, 3).await?;
    for rep in 1..=report.reps {
        progress(format!("latency, repetition {rep} of {}", report.reps));
        let site = target.site().await?;
        let session = site.session().await?;
        let commit = commit_cost(&session, common.commits()).await?;
        report.commit_took(commit);
        let (took, dispatched) = once(&site, flags).await?;
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
async fn once(site: &Site, flags: &LatencyFlags) -> Result<(Samples, Samples)> {
    let mut starts = work::Starts::listen(site, flags.workers).await?;
    let session = site.session().await?;
    let statement =
        session.prepare("select fairclaim.dispatch_job($1, $2, $3::text::jsonb, $4)").await?;
    let (mut waits, mut dispatches) = (Vec::new(), Vec::new());
    for job in 0..flags.jobs {
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
