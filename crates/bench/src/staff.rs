//! Who works in `bench everyday`: the library's workers, or plain connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Result, bail};
use fairclaim::{CLAIM_SIZE_CLASSES, WorkerHandle};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::claimer::Claimer;
use crate::pacer::began;
use crate::tally::Tally;
use crate::target::Site;
use crate::ticker::Ticker;
use crate::work::{self, Fleet};

/// Works until it is stopped.
#[derive(Debug)]
pub(crate) struct Staff {
    tasks: JoinSet<Result<()>>,
    stop: CancellationToken,
    ticker: Option<Ticker>,
    claims: Claims,
}

/// Where claims are counted.
#[derive(Debug)]
enum Claims {
    Workers(Vec<WorkerHandle>),
    Sql(Arc<[AtomicU64; CLAIM_SIZE_CLASSES]>),
}

impl Staff {
    pub(crate) async fn of_workers(site: &Site, fleet: Fleet, tally: &Arc<Tally>) -> Result<Self> {
        let (stop, mut tasks, mut handles) = (CancellationToken::new(), JoinSet::new(), Vec::new());
        for number in 0..fleet.workers {
            let worker = work::counting(site, fleet, number, tally).await?;
            handles.push(worker.handle());
            tasks.spawn(work::run(worker, stop.clone()));
        }
        Ok(Self { tasks, stop, ticker: None, claims: Claims::Workers(handles) })
    }

    pub(crate) async fn of_connections(
        site: &Site,
        connections: usize,
        claim: i32,
        tally: &Arc<Tally>,
    ) -> Result<Self> {
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        let ticker = Some(Ticker::start(site).await?);
        let sizes = Arc::new(std::array::from_fn(|_| AtomicU64::new(0)));
        for number in 0..connections {
            let claimer = Claimer::open(site, format!("bench-{number}"), claim).await?;
            tasks.spawn(turn_until(claimer, stop.clone(), tally.clone(), sizes.clone()));
        }
        Ok(Self { tasks, stop, ticker, claims: Claims::Sql(sizes) })
    }

    /// Claims so far by how many jobs they brought: none, 1, 2 to 3, 4 to 7 and so on.
    pub(crate) fn claim_sizes(&self) -> [u64; CLAIM_SIZE_CLASSES] {
        match &self.claims {
            Claims::Workers(handles) => {
                handles.iter().fold([0; CLAIM_SIZE_CLASSES], |sum, handle| {
                    let more = handle.report().claim_sizes;
                    std::array::from_fn(|class| sum[class] + more[class])
                })
            }
            Claims::Sql(sizes) => std::array::from_fn(|class| sizes[class].load(Ordering::Relaxed)),
        }
    }

    /// Fails if a worker gave up.
    pub(crate) fn check(&mut self) -> Result<()> {
        if let Some(done) = self.tasks.try_join_next() {
            done??;
            bail!("a worker stopped before it was told to");
        }
        Ok(())
    }

    pub(crate) async fn stop(mut self) -> Result<()> {
        self.stop.cancel();
        while let Some(done) = self.tasks.join_next().await {
            done??;
        }
        if let Some(ticker) = self.ticker {
            ticker.stop().await?;
        }
        Ok(())
    }
}

async fn turn_until(
    mut claimer: Claimer,
    stop: CancellationToken,
    tally: Arc<Tally>,
    sizes: Arc<[AtomicU64; CLAIM_SIZE_CLASSES]>,
) -> Result<()> {
    let (mut flood, mut small) = (0, 0);
    while !stop.is_cancelled() {
        let (_, claimed) = claimer.turn().await?;
        tally.completed_some(flood, small);
        let class = (usize::BITS - claimed.len().leading_zeros()) as usize;
        sizes[class.min(CLAIM_SIZE_CLASSES - 1)].fetch_add(1, Ordering::Relaxed);
        small = 0;
        for began in claimed.iter().filter_map(|job| began(&job.payload)) {
            tally.waited_since(began);
            small += 1;
        }
        flood = claimed.len() as u64 - small;
        if claimed.is_empty() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    claimer.settle().await?;
    tally.completed_some(flood, small);
    Ok(())
}
