//! Who works in `bench everyday`: the library's workers, or plain connections.

use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::claimer::Claimer;
use super::options::Through;
use super::pacer::began;
use super::place::Site;
use super::tally::Tally;
use super::ticker::Ticker;
use super::work;

#[derive(Debug)]
pub(crate) struct CrewSizes {
    pub(crate) through: Through,
    pub(crate) workers: usize,
    pub(crate) concurrency: usize,
    pub(crate) claim: i32,
}

/// Works until it is stopped.
#[derive(Debug)]
pub(crate) struct Crew {
    tasks: JoinSet<anyhow::Result<()>>,
    stop: CancellationToken,
    ticker: Option<Ticker>,
}

impl Crew {
    pub(crate) async fn start(
        site: &Site,
        sizes: &CrewSizes,
        tally: &Arc<Tally>,
    ) -> anyhow::Result<Self> {
        let (stop, mut tasks, mut ticker) = (CancellationToken::new(), JoinSet::new(), None);
        match sizes.through {
            Through::Worker => {
                for number in 0..sizes.workers {
                    let worker = work::counting(site, number, sizes.concurrency, tally).await?;
                    tasks.spawn(work::run(worker, stop.clone(), tally.clone()));
                }
            }
            Through::Sql => {
                ticker = Some(Ticker::start(site).await?);
                for number in 0..sizes.workers {
                    let claimer = Claimer::open(site, format!("bench-{number}"), sizes.claim).await?;
                    tasks.spawn(turn_until(claimer, stop.clone(), tally.clone()));
                }
            }
        }
        Ok(Self { tasks, stop, ticker })
    }

    /// An error if somebody gave up.
    pub(crate) async fn check(&mut self) -> anyhow::Result<()> {
        if let Some(done) = self.tasks.try_join_next() {
            done??;
            bail!("a worker stopped before it was told to");
        }
        Ok(())
    }

    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
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
) -> anyhow::Result<()> {
    let (mut flood, mut small) = (0, 0);
    while !stop.is_cancelled() {
        let (_, claimed) = claimer.turn().await?;
        tally.completed_some(flood, small);
        tally.claimed(claimed.len());
        for job in &claimed {
            tally.started(&job.payload);
        }
        small = claimed.iter().filter(|job| began(&job.payload).is_some()).count() as u64;
        flood = claimed.len() as u64 - small;
        if claimed.is_empty() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    claimer.settle().await?;
    tally.completed_some(flood, small);
    Ok(())
}
