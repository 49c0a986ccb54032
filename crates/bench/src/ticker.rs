//! `tick()` once a second, as any worker calls it, for scenarios that have no worker.

use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::spread::Samples;
use crate::target::Site;

/// Ticks until it is stopped or dropped.
#[derive(Debug)]
pub(crate) struct Ticker {
    task: JoinHandle<Result<Vec<f64>>>,
    stop: DropGuard,
}

impl Ticker {
    pub(crate) async fn start(site: &Site) -> Result<Self> {
        let session = site.session().await?;
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            let statement = session.prepare("select busy from fairclaim.tick()").await?;
            let mut took = Vec::new();
            let mut clock = tokio::time::interval(Duration::from_secs(1));
            while stopped.run_until_cancelled(clock.tick()).await.is_some() {
                let start = Instant::now();
                session.query_one(&statement, &[]).await?;
                took.push(start.elapsed().as_secs_f64() * 1e3);
            }
            Ok(took)
        });
        Ok(Self { task, stop: stop.drop_guard() })
    }

    /// How long the ticks took, in milliseconds.
    pub(crate) async fn stop(self) -> Result<Samples> {
        drop(self.stop);
        Ok(Samples::of(self.task.await??))
    }
}
