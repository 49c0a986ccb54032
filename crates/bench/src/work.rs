//! The library's workers, with handlers that do nothing but say so.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use fairclaim::{Attempt, Job, JobError, Outcome, State, Worker, WorkerBuilder};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::load::TYPE;
use crate::tally::Tally;
use crate::target::Site;

/// What all payloads of the benchmarks read as.
#[derive(Debug, Serialize, Deserialize)]
struct BenchJob {
    /// When the dispatch began, in microseconds of this process; paced jobs only.
    at: Option<u64>,
}

impl Job for BenchJob {
    const TYPE: &'static str = TYPE;
}

/// How many workers there are, and what each of them may do at once.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Fleet {
    pub(crate) workers: usize,
    pub(crate) concurrency: usize,
    pub(crate) connections: usize,
    pub(crate) max_batch: usize,
}

impl Fleet {
    async fn builder(&self, site: &Site, queue: String, number: usize) -> Result<WorkerBuilder> {
        Ok(Worker::builder(site.client().await?)
            .worker_id(format!("bench-{number}"))
            .queue(queue, self.concurrency)
            .connections(self.connections)
            .max_batch(self.max_batch))
    }
}

/// Works the queue off with handlers that do nothing; answers how long that took, the workers'
/// start and end included.
pub(crate) async fn drain(site: &Site, fleet: Fleet, jobs: u64) -> Result<Duration> {
    async fn nothing(_: BenchJob, _: Attempt) -> Result<Outcome, JobError> {
        Ok(Outcome::Complete)
    }
    let mut workers = Vec::new();
    for number in 0..fleet.workers {
        let builder = fleet.builder(site, site.queue.clone(), number).await?;
        workers.push(builder.handler(nothing).drain(true).build()?);
    }
    let (start, mut tasks) = (Instant::now(), JoinSet::new());
    for worker in workers {
        tasks.spawn(worker.run(std::future::pending()));
    }
    let mut completed = 0;
    while let Some(done) = tasks.join_next().await {
        completed += done??.completed;
    }
    ensure!(completed == jobs, "the workers completed {completed} of {jobs} jobs");
    Ok(start.elapsed())
}

/// A worker that tells a tally of every job.
pub(crate) async fn counting(
    site: &Site,
    fleet: Fleet,
    number: usize,
    tally: &Arc<Tally>,
) -> Result<Worker> {
    async fn count(
        job: BenchJob,
        _: Attempt,
        State(tally): State<Arc<Tally>>,
    ) -> Result<Outcome, JobError> {
        match job.at {
            Some(began) => {
                tally.waited_since(began);
                tally.completed_some(0, 1);
            }
            None => tally.completed_some(1, 0),
        }
        Ok(Outcome::Complete)
    }
    let builder = fleet.builder(site, site.queue.clone(), number).await?;
    Ok(builder.state(tally.clone()).handler(count).build()?)
}

/// Runs until it is stopped.
pub(crate) async fn run(worker: Worker, stop: CancellationToken) -> Result<()> {
    worker.run(stop.cancelled_owned()).await?;
    Ok(())
}

/// Workers that have nothing to do and wait to be told otherwise.
#[derive(Debug)]
pub(crate) struct Idle {
    tasks: JoinSet<Result<()>>,
    stop: CancellationToken,
}

impl Idle {
    /// They serve another queue than the site's, and are notified all the same.
    pub(crate) async fn start(site: &Site, workers: usize) -> Result<Self> {
        async fn nothing(_: BenchJob, _: Attempt) -> Result<Outcome, JobError> {
            Ok(Outcome::Complete)
        }
        let fleet = Fleet { workers, concurrency: 10, connections: 1, max_batch: 500 };
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        for number in 0..workers {
            let queue = format!("{}-idle", site.queue);
            let worker = fleet.builder(site, queue, number).await?.handler(nothing).build()?;
            tasks.spawn(run(worker, stop.clone()));
        }
        settle_in().await;
        Ok(Self { tasks, stop })
    }

    pub(crate) async fn stop(self) -> Result<()> {
        end(self.tasks, &self.stop).await
    }
}

/// Workers whose handlers say when they start.
#[derive(Debug)]
pub(crate) struct Starts {
    idle: Idle,
    starts: UnboundedReceiver<Instant>,
}

impl Starts {
    pub(crate) async fn listen(site: &Site, workers: usize) -> Result<Self> {
        async fn tell(
            _: BenchJob,
            _: Attempt,
            State(starts): State<UnboundedSender<Instant>>,
        ) -> Result<Outcome, JobError> {
            // the listener is gone: the benchmark is over
            let _ = starts.send(Instant::now());
            Ok(Outcome::Complete)
        }
        let fleet = Fleet { workers, concurrency: 10, connections: 2, max_batch: 500 };
        let (sender, starts) = unbounded_channel();
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        for number in 0..workers {
            let builder = fleet.builder(site, site.queue.clone(), number).await?;
            let worker = builder.state(sender.clone()).handler(tell).build()?;
            tasks.spawn(run(worker, stop.clone()));
        }
        settle_in().await;
        Ok(Self { idle: Idle { tasks, stop }, starts })
    }

    /// When the next handler started.
    pub(crate) async fn next(&mut self) -> Result<Instant> {
        self.starts.recv().await.context("the workers ended")
    }

    pub(crate) async fn stop(self) -> Result<()> {
        self.idle.stop().await
    }
}

/// Workers connect and listen first.
async fn settle_in() {
    tokio::time::sleep(Duration::from_millis(300)).await;
}

async fn end(mut tasks: JoinSet<Result<()>>, stop: &CancellationToken) -> Result<()> {
    stop.cancel();
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(())
}
