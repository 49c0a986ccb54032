//! `bench latency`: an idle queue, one job now and then.

use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;
use tokio::time::{Instant, timeout};
use tokio_postgres::types::ToSql;

use crate::flags::within;
use crate::load::{DISPATCH, TYPE, tenant};
use crate::scenario::{OnOneSite, Stage};
use crate::spread::{MAX, P50, P99, Samples};
use crate::target::Site;
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

impl OnOneSite for LatencyFlags {
    const NAME: &'static str = "latency";
    const REPS: u32 = 3;

    async fn once(&self, site: &Site, stage: &mut Stage<'_>) -> Result<()> {
        let commit = stage.note_commit(site).await?;
        let (took, dispatched) = self.one_by_one(site).await?;
        let (what, report) = ("commit returned to handler start", &mut stage.report);
        report.times("dispatch itself", &dispatched, &[P50]);
        report.times(what, &took, &[P50, P99, MAX]);
        let less = (took.percentile(0.5) - commit).max(0.0);
        report.add(format!("{what}, p50 less one fsync"), "ms", less);
        Ok(())
    }
}

impl LatencyFlags {
    /// From commit to handler start, and how long the dispatches took, in milliseconds.
    async fn one_by_one(&self, site: &Site) -> Result<(Samples, Samples)> {
        let (workers, mut starts) = work::telling(site, self.workers).await?;
        let statement = site.control.prepare(DISPATCH).await?;
        let (mut waits, mut dispatches) = (Vec::new(), Vec::new());
        for job in 0..self.jobs {
            // uneven, so that no poll of the worker's falls into step with it
            tokio::time::sleep(Duration::from_millis(20 + job * 7_919 % 60)).await;
            let begin = Instant::now();
            let payload = format!(r#"{{"n": {job}}}"#);
            let parameters: [&(dyn ToSql + Sync); 4] =
                [&tenant(job % 10), &TYPE, &payload, &site.queue];
            site.control.query(&statement, &parameters).await?;
            let committed = Instant::now();
            let started = timeout(Duration::from_secs(30), starts.recv())
                .await
                .context("no handler started within 30 s")?
                .context("the workers ended")?;
            dispatches.push(committed.duration_since(begin).as_secs_f64() * 1e3);
            // a worker can be quicker than the answer's way back to us
            waits.push(started.saturating_duration_since(committed).as_secs_f64() * 1e3);
        }
        workers.stop().await?;
        Ok((Samples::of(waits), Samples::of(dispatches)))
    }
}
