//! Who works in a scenario until it is over: the library's workers, or plain connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use fairclaim::{CLAIM_SIZE_CLASSES, Worker, WorkerHandle};
use tokio_util::sync::CancellationToken;

use crate::claimer::Claimer;
use crate::crew::Crew;
use crate::flags::Fleet;
use crate::tally::Tally;
use crate::target::Site;
use crate::ticker;
use crate::work;

/// How long a connection rests that found nothing, or was told to.
const PAUSE: Duration = Duration::from_millis(2);

/// Works until it is stopped.
#[derive(Debug)]
pub(crate) struct Staff {
    pub(crate) tally: Arc<Tally>,
    crew: Crew<()>,
    ticker: Option<Crew<()>>,
    claims: Claims,
}

/// Where claims are counted.
#[derive(Debug)]
enum Claims {
    Workers(Vec<WorkerHandle>),
    Sql(Arc<Signals>),
}

/// What plain connections tell and are told.
#[derive(Debug, Default)]
struct Signals {
    claim_sizes: [AtomicU64; CLAIM_SIZE_CLASSES],
    rest: AtomicBool,
}

impl Staff {
    pub(crate) async fn of_workers(site: &Site, fleet: &Fleet, number: usize) -> Result<Self> {
        let tally = Arc::new(Tally::default());
        let workers = work::counting(site, fleet, number, &tally).await?;
        let claims = Claims::Workers(workers.iter().map(Worker::handle).collect());
        Ok(Self { tally, crew: work::run(workers), ticker: None, claims })
    }

    pub(crate) async fn of_connections(site: &Site, number: usize, claim: i32) -> Result<Self> {
        let (tally, signals) = (Arc::new(Tally::default()), Arc::new(Signals::default()));
        let claimers = Claimer::several(site, number, claim).await?;
        let ticker = Some(ticker::start(site).await?);
        let crew = Crew::start(claimers, |claimer, stop| {
            turn_until(claimer, stop, tally.clone(), signals.clone())
        });
        Ok(Self { tally, crew, ticker, claims: Claims::Sql(signals) })
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
            Claims::Sql(signals) => {
                signals.claim_sizes.each_ref().map(|of| of.load(Ordering::Relaxed))
            }
        }
    }

    /// Fails if a worker gave up.
    pub(crate) fn check(&mut self) -> Result<()> {
        self.crew.check()
    }

    /// Lets plain connections rest, or work again.
    pub(crate) fn rest(&self, rest: bool) {
        if let Claims::Sql(signals) = &self.claims {
            signals.rest.store(rest, Ordering::Relaxed);
        }
    }

    /// Waits until the tally says so, at most that many seconds; fails if a worker gave up.
    pub(crate) async fn until(
        &mut self,
        enough: impl Fn(&Tally) -> bool,
        patience: f64,
    ) -> Result<()> {
        let start = Instant::now();
        while !enough(&self.tally) && start.elapsed().as_secs_f64() < patience {
            self.check()?;
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Answers what was counted.
    pub(crate) async fn stop(self) -> Result<Arc<Tally>> {
        self.crew.stop().await?;
        if let Some(ticker) = self.ticker {
            ticker.stop().await?;
        }
        Ok(self.tally)
    }
}

async fn turn_until(
    mut claimer: Claimer,
    stop: CancellationToken,
    tally: Arc<Tally>,
    signals: Arc<Signals>,
) -> Result<()> {
    // of the jobs that it holds, those that bear the time of their dispatch
    let mut stamped = 0;
    while !stop.is_cancelled() {
        if signals.rest.load(Ordering::Relaxed) {
            tokio::time::sleep(PAUSE).await;
            continue;
        }
        let (settled, claimed) = claimer.turn().await?;
        tally.completed_some(settled - stamped, stamped);
        let class = (usize::BITS - claimed.len().leading_zeros()) as usize;
        signals.claim_sizes[class.min(CLAIM_SIZE_CLASSES - 1)].fetch_add(1, Ordering::Relaxed);
        stamped = tally.started(&claimed);
        if claimed.is_empty() {
            tokio::time::sleep(PAUSE).await;
        }
    }
    claimer.settle().await
}
