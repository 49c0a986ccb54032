//! The library's workers, with handlers that do nothing but say so.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use fairclaim::{Attempt, Job, JobError, Outcome, State, Worker, WorkerBuilder};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;

use crate::crew::Crew;
use crate::flags::Fleet;
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

impl Fleet {
    async fn workers(
        &self,
        site: &Site,
        queue: &str,
        number: usize,
        set_up: impl Fn(WorkerBuilder) -> WorkerBuilder,
    ) -> Result<Vec<Worker>> {
        let mut workers = Vec::new();
        for number in 0..number {
            let worker = Worker::builder(site.client().await?)
                .worker_id(format!("bench-{number}"))
                .queue(queue, self.concurrency)
                .connections(self.connections)
                .max_batch(self.max_batch);
            workers.push(set_up(worker).build()?);
        }
        Ok(workers)
    }
}

async fn nothing(_: BenchJob, _: Attempt) -> Result<Outcome, JobError> {
    Ok(Outcome::Complete)
}

/// Works the queue off with handlers that do nothing; answers how long that took, the workers'
/// start and end included.
pub(crate) async fn drain(
    site: &Site,
    fleet: &Fleet,
    number: usize,
    jobs: u64,
) -> Result<Duration> {
    let set_up = |worker: WorkerBuilder| worker.handler(nothing).drain(true);
    let workers = fleet.workers(site, &site.queue, number, set_up).await?;
    let start = Instant::now();
    let crew = Crew::start(workers, |worker, _| async move {
        Ok(worker.run(std::future::pending()).await?.completed)
    });
    let completed: u64 = crew.ended().await?.iter().sum();
    ensure!(completed == jobs, "the workers completed {completed} of {jobs} jobs");
    Ok(start.elapsed())
}

/// Workers that tell a tally of every job.
pub(crate) async fn counting(
    site: &Site,
    fleet: &Fleet,
    number: usize,
    tally: &Arc<Tally>,
) -> Result<Vec<Worker>> {
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
    let set_up = |worker: WorkerBuilder| worker.state(tally.clone()).handler(count);
    fleet.workers(site, &site.queue, number, set_up).await
}

/// Workers that have nothing to do and wait to be told otherwise. They serve another queue than the
/// site's, and are notified all the same.
pub(crate) async fn idle(site: &Site, number: usize) -> Result<Crew<()>> {
    let fleet = Fleet { concurrency: 10, connections: 1, max_batch: 500 };
    let queue = format!("{}-idle", site.queue);
    settled_in(fleet.workers(site, &queue, number, |worker| worker.handler(nothing)).await?).await
}

/// Workers whose handlers say when they start.
pub(crate) async fn telling(
    site: &Site,
    number: usize,
) -> Result<(Crew<()>, UnboundedReceiver<Instant>)> {
    async fn tell(
        _: BenchJob,
        _: Attempt,
        State(starts): State<UnboundedSender<Instant>>,
    ) -> Result<Outcome, JobError> {
        // the listener is gone: the benchmark is over
        let _ = starts.send(Instant::now());
        Ok(Outcome::Complete)
    }
    let fleet = Fleet { concurrency: 10, connections: 2, max_batch: 500 };
    let (sender, starts) = unbounded_channel();
    let set_up = |worker: WorkerBuilder| worker.state(sender.clone()).handler(tell);
    let workers = fleet.workers(site, &site.queue, number, set_up).await?;
    Ok((settled_in(workers).await?, starts))
}

/// Runs them until they are stopped.
pub(crate) fn run(workers: Vec<Worker>) -> Crew<()> {
    Crew::start(workers, |worker, stop| async move {
        worker.run(stop.cancelled_owned()).await?;
        Ok(())
    })
}

/// Runs them, and waits until they have connected and listen.
async fn settled_in(workers: Vec<Worker>) -> Result<Crew<()>> {
    let mut crew = run(workers);
    tokio::time::sleep(Duration::from_millis(300)).await;
    crew.check()?;
    Ok(crew)
}
