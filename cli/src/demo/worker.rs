//! One worker process of the demo: the library's worker, with a handler that waits.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::Args;
use fairclaim::{Attempt, JobError, Outcome, State, Worker};
use tokio::io::AsyncReadExt;
use uuid::Uuid;

use super::plan::DemoJob;
use crate::global::Global;
use crate::{connect, output};

/// How often it reports which jobs it has started.
const REPORT_EVERY: Duration = Duration::from_millis(100);

#[derive(Debug, Args)]
pub(crate) struct DemoWorkerArgs {
    #[arg(long)]
    queue: String,
    #[arg(long)]
    worker_id: String,
    #[arg(long)]
    concurrency: usize,
    #[arg(long, value_parser = crate::value::duration)]
    lease: Duration,
    #[arg(long, value_parser = crate::value::duration)]
    work: Duration,
}

/// What handlers share: how long work takes, and whose jobs were started since the last report.
#[derive(Debug, Clone)]
struct Desk {
    work: Duration,
    started: Arc<Mutex<HashMap<Uuid, u64>>>,
}

pub(crate) async fn run(global: &Global, args: DemoWorkerArgs) -> anyhow::Result<()> {
    let desk = Desk { work: args.work, started: Arc::default() };
    let reports = tokio::spawn(report(desk.clone()));
    let worker = Worker::builder(connect::client(global).await?)
        .worker_id(args.worker_id)
        .state(desk)
        .queue(args.queue, args.concurrency)
        .handler(handle)
        .lease(args.lease)
        .build()?;
    worker.run(stdin_closed()).await?;
    reports.abort();
    Ok(())
}

async fn handle(
    _job: DemoJob,
    attempt: Attempt,
    State(desk): State<Desk>,
) -> Result<Outcome, JobError> {
    *desk
        .started
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .entry(attempt.tenant_id().uuid())
        .or_default() += 1;
    tokio::time::sleep(desk.work).await;
    Ok(Outcome::Complete)
}

/// Prints one JSON object a line: how many jobs of each tenant were started since the line before.
async fn report(desk: Desk) -> anyhow::Result<()> {
    let mut due = tokio::time::interval(REPORT_EVERY);
    loop {
        due.tick().await;
        let started =
            std::mem::take(&mut *desk.started.lock().unwrap_or_else(PoisonError::into_inner));
        if !started.is_empty() {
            output::line(serde_json::to_string(&started)?)?;
        }
    }
}

/// Waits until stdin closes: the demo holds the other end and closes it to say stop; so does the
/// system when the demo dies.
async fn stdin_closed() {
    let mut byte = [0];
    while let Ok(1..) = tokio::io::stdin().read(&mut byte).await {}
}
