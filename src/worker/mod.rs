//! The worker: claims jobs ahead, runs their handlers, settles how they ended.
//!
//! ```text
//!             NOTIFY            claims                 work                 how it ended
//! listener ─────────► exchangers ◄──── database    ┌────────► slots ────────┐
//!                      (per queue) ────────► subscription (buffer, outbox) ◄┘
//!                        settlements        one for each queue
//! ```
//!
//! Every task has one shape: an async function that ends when one of the signals says so ([`shared::Signals`]). What is
//! claimed stands in the [`ledger`] until the database has answered its settlement; the [`heartbeat`] extends what stays
//! there for long. The [`ticker`] calls the database's maintenance. [`solo`] runs jobs that are suspected of killing workers.
//! [`unheard`] gives back what claims took whose answers got lost.
//! [`attempt_log`] says how attempts ended, [`idle_reasons`] why there is nothing to do, and
//! [`outage`] that the database is away.

mod attempt;
mod attempt_log;
mod backoff;
mod builder;
mod claimed;
mod connections;
mod exchange;
mod executor;
mod given_back;
mod handler;
mod heartbeat;
mod hold;
mod idle_reasons;
mod ledger;
mod listener;
mod outage;
mod pacing;
mod ready;
mod registry;
mod rest;
mod settlement;
mod shared;
mod shutdown;
mod sleep;
mod solo;
mod stats;
mod subscription;
mod ticker;
mod unanswered;
mod unheard;
mod wakes;
mod wording;

use std::{future::Future, sync::Arc};

use tokio_util::task::TaskTracker;

pub use attempt::Attempt;
pub use builder::WorkerBuilder;
pub use handler::{Handler, RawJob, State};
pub use stats::{CLAIM_SIZE_CLASSES, WorkerHandle, WorkerReport};

use self::{
    exchange::Exchanger,
    shared::Shared,
    wording::{Listed, Span},
};
use crate::{client::Client, error::Result};

/// How many queues and types the first line names.
const NAMED_MAX: usize = 20;

/// A worker, set up and not running yet.
///
/// ```no_run
/// use fairclaim::{Attempt, Client, Job, JobError, Outcome, Worker};
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct SendMail { to: String }
/// impl Job for SendMail { const TYPE: &'static str = "send_mail"; const QUEUE: &'static str = "mail"; }
///
/// async fn send_mail(job: SendMail, attempt: Attempt) -> Result<Outcome, JobError> {
///     println!("attempt {} for {}", attempt.number(), job.to);
///     Ok(Outcome::Complete)
/// }
///
/// # async fn example() -> Result<(), fairclaim::Error> {
/// let client = Client::connect("postgres://worker@localhost/app").await?;
/// let worker = Worker::builder(client).queue("mail", 10).handler(send_mail).build()?;
/// let report = worker.run(async { tokio::signal::ctrl_c().await.ok(); }).await?;
/// println!("{} jobs completed", report.completed);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Worker {
    shared: Arc<Shared>,
}

impl Worker {
    /// Starts setting one up.
    pub fn builder(client: Client) -> WorkerBuilder {
        WorkerBuilder::default().client(client)
    }

    fn new(shared: Shared) -> Self {
        Self { shared: Arc::new(shared) }
    }

    /// The id that it claims under.
    pub fn worker_id(&self) -> &str {
        &self.shared.settings.worker_id
    }

    /// Reads its counters while it runs, and ends its sleep.
    pub fn handle(&self) -> WorkerHandle {
        WorkerHandle { stats: Arc::clone(&self.shared.stats), called: self.shared.rouse.caller() }
    }

    /// Runs until `shutdown` is ready, or the queues are empty where [`WorkerBuilder::drain`] is set.
    ///
    /// Then it stops claiming, waits for the grace period for what it holds, cancels the rest ([`Attempt::cancellation`]),
    /// drops handlers that do not end by themselves, gives their jobs back, and settles everything. A database that is
    /// away is waited for, at the start and later; dropping the future stops all handlers at once, and their leases end.
    ///
    /// # Errors
    /// At the start only: the schema is missing or too old, the login may not work with it, or the connection's settings are
    /// wrong. A right that is taken away later is waited for, with its hint in the log.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<WorkerReport> {
        let shared = self.shared;
        let _stop_when_dropped = shutdown::StopGuard(Arc::clone(&shared));
        tokio::pin!(shutdown);
        tokio::select! {
            ready = async { ready::until_ready(&shared).await?; heartbeat::hold(&shared).await } => ready?,
            () = &mut shutdown => return Ok(shared.stats.report()),
        }
        log_start(&shared);
        let (exchangers, heart, helpers) = start(&shared);
        tokio::select! {
            () = &mut shutdown => log_shutdown(&shared),
            () = shared.signals.drained.cancelled() => idle_reasons::at_end(&shared).await,
        }
        shutdown::shut_down(&shared, &exchangers, &heart, &helpers).await;
        shared.attempt_log.flush();
        let report = shared.stats.report();
        log_end(&report);
        Ok(report)
    }
}

fn log_start(shared: &Shared) {
    let queues = shared.subscriptions.iter().map(|subscription| {
        format!("{} ({} at once)", subscription.queue, subscription.concurrency)
    });
    let queues = Listed::of(queues, NAMED_MAX).to_string();
    let types = Listed::of(shared.types.iter(), NAMED_MAX).to_string();
    tracing::info!(
        worker_id = &*shared.settings.worker_id,
        queues,
        types,
        connections = shared.connections_wanted(),
        "the worker starts"
    );
}

fn log_shutdown(shared: &Shared) {
    match shared.ledger.len() {
        0 => tracing::info!("shutting down"),
        held => {
            let (held, at_most) = (held as u64, Span::of(shared.settings.grace));
            let jobs = wording::jobs(i64::try_from(held).unwrap_or(i64::MAX), false);
            tracing::info!(held, "shutting down: waiting for {jobs}, {at_most} at most");
        }
    }
}

/// What it has done, in numbers; those that are 0 are left out, but for the first two.
fn log_end(report: &WorkerReport) {
    let some = |count: u64| (count > 0).then_some(count);
    tracing::info!(
        claimed = report.claimed,
        completed = report.completed,
        retried = some(report.retried),
        failed = some(report.failed),
        snoozed = some(report.snoozed),
        cancelled = some(report.cancelled),
        released = some(report.released),
        lost = some(report.lost),
        timed_out = some(report.timed_out),
        panicked = some(report.panicked),
        interrupted = some(report.interrupted),
        short_of_means = some(report.short_of_means),
        put_off = some(report.put_off),
        call_failures = some(report.call_failures),
        "the worker has ended"
    );
}

/// Starts everything but slots, which start with the first jobs.
fn start(shared: &Arc<Shared>) -> (TaskTracker, TaskTracker, TaskTracker) {
    let (exchangers, heart, helpers) = (TaskTracker::new(), TaskTracker::new(), TaskTracker::new());
    for (queue_index, subscription) in shared.subscriptions.iter().enumerate() {
        for seat in 0..shared.settings.connections {
            let (shared, subscription) = (Arc::clone(shared), Arc::clone(subscription));
            exchangers.spawn(Exchanger { shared, subscription, queue_index, seat }.run());
        }
    }
    heart.spawn(heartbeat::run(Arc::clone(shared)));
    heart.spawn(unheard::run(Arc::clone(shared)));
    helpers.spawn(sleep::run(Arc::clone(shared)));
    helpers.spawn(attempt_log::run(Arc::clone(shared)));
    helpers.spawn(idle_reasons::at_start(Arc::clone(shared)));
    (exchangers, heart, helpers)
}
