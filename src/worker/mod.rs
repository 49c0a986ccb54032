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

mod attempt;
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
mod ledger;
mod listener;
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

use std::{future::Future, sync::Arc};

use tokio_util::task::TaskTracker;

pub use attempt::Attempt;
pub use builder::WorkerBuilder;
pub use handler::{Handler, RawJob, State};
pub use stats::{CLAIM_SIZE_CLASSES, WorkerHandle, WorkerReport};

use self::{exchange::Exchanger, shared::Shared};
use crate::{client::Client, error::Result};

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
        let (settings, queues) = (&shared.settings, shared.subscriptions.len());
        tracing::info!(
            worker_id = &*settings.worker_id,
            queues,
            types = shared.types.len(),
            connections = shared.connections_wanted(),
            "the worker starts"
        );
        let (exchangers, heart, helpers) = start(&shared);
        tokio::select! {
            () = &mut shutdown => tracing::info!("shutting down"),
            () = shared.signals.drained.cancelled() => tracing::info!("the queues are empty"),
        }
        shutdown::shut_down(&shared, &exchangers, &heart, &helpers).await;
        let report = shared.stats.report();
        tracing::info!(?report, "the worker has ended");
        Ok(report)
    }
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
    (exchangers, heart, helpers)
}
