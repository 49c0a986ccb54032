//! The worker: claims jobs ahead, runs their handlers, settles how they ended.
//!
//! ```text
//!           NOTIFY                 claims                  work            how it ended
//! listen ───────────► sync_queue ◄──────── database     ┌────────► slots ──────────┐
//!                     (per queue) ────────► subscription (buffer, outbox) ◄────────┘
//!                        settlements        one for each queue
//! ```
//!
//! - [`queue`] decides what to claim and when: arithmetic only.
//! - [`held`] keeps what was claimed until its settlement is answered.
//! - [`tasks`] is what runs. Each task works on one [`context::Context`], and no task is known to
//!   what lies below.
//! - [`log`] is what the worker says, and [`connections`] is how it reaches the database.

mod attempt;
mod backoff;
mod builder;
mod claimed_job;
mod connections;
mod context;
mod drain;
mod handler;
mod held;
mod log;
mod queue;
mod registry;
mod settings;
mod signals;
mod stats;
mod tasks;

use std::{future::Future, sync::Arc};

pub use attempt::Attempt;
pub use builder::WorkerBuilder;
pub use handler::{Handler, RawJob, State};
pub use stats::{CLAIM_SIZE_CLASSES, WorkerHandle, WorkerReport};

use self::{
    context::Context,
    log::wording::{self, Listed, Span},
    tasks::{
        check_ready, explain_idle, give_back, heartbeat,
        shutdown::{self, Tasks},
        sleep,
        sync_queue::SyncQueue,
    },
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
/// impl Job for SendMail {
///     const TYPE: &'static str = "send_mail";
///     const QUEUE: &'static str = "mail";
/// }
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
    context: Arc<Context>,
}

impl Worker {
    /// Begins to set a worker up.
    pub fn builder(client: Client) -> WorkerBuilder {
        WorkerBuilder::default().client(client)
    }

    fn new(context: Context) -> Self {
        Self { context: Arc::new(context) }
    }

    /// The id under which it claims.
    pub fn worker_id(&self) -> &str {
        &self.context.settings.worker_id
    }

    /// Reads its counters while it runs, and ends its sleep.
    pub fn handle(&self) -> WorkerHandle {
        WorkerHandle {
            stats: Arc::clone(&self.context.stats),
            woken: Arc::clone(self.context.activity.woken()),
        }
    }

    /// Runs until `shutdown` is ready, or the queues are empty where [`WorkerBuilder::drain`] is
    /// set.
    ///
    /// Then it stops claiming, waits for the grace period for what it holds, cancels the rest
    /// ([`Attempt::cancellation`]), drops handlers that do not end by themselves, gives their jobs
    /// back, and settles everything. A database that is away is waited for, at the start and later.
    /// Dropping the future stops all handlers at once, and their leases end.
    ///
    /// # Errors
    /// At the start only: the schema is missing or too old, the login may not work with it, or the
    /// connection's settings are wrong. A right that is taken away later is waited for, with its
    /// hint in the log.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<WorkerReport> {
        let context = self.context;
        let _stop_when_dropped = shutdown::StopGuard(Arc::clone(&context));
        tokio::pin!(shutdown);
        tokio::select! {
            ready = become_ready(&context) => ready?,
            () = &mut shutdown => return Ok(context.stats.report()),
        }
        log_start(&context);
        let tasks = start(&context);
        tokio::select! {
            () = &mut shutdown => log_shutdown(&context),
            () = context.signals.drained.cancelled() => explain_idle::at_end(&context).await,
        }
        shutdown::shut_down(&context, &tasks).await;
        context.attempt_log.flush();
        let report = context.stats.report();
        log_end(&report);
        Ok(report)
    }
}

/// Waits for a database that the worker can work with, and opens the connections it needs.
async fn become_ready(context: &Context) -> Result<()> {
    check_ready::until_ready(context).await?;
    heartbeat::open_connections(context).await
}

fn log_start(context: &Context) {
    let queues = context.subscriptions.iter().map(|subscription| {
        format!("{} ({} at once)", subscription.queue, subscription.concurrency)
    });
    let queues = Listed::of(queues, NAMED_MAX).to_string();
    let types = Listed::of(context.types.iter(), NAMED_MAX).to_string();
    tracing::info!(
        worker_id = &*context.settings.worker_id,
        queues,
        types,
        connections = context.connections_wanted(),
        "the worker starts"
    );
}

fn log_shutdown(context: &Context) {
    match context.ledger.len() {
        0 => tracing::info!("shutting down"),
        held => {
            let (held, at_most) = (held as u64, Span::of(context.settings.grace));
            let jobs = wording::jobs(i64::try_from(held).unwrap_or(i64::MAX), false);
            tracing::info!(held, "shutting down: waiting for {jobs}, {at_most} at most");
        }
    }
}

/// Logs what the worker has done, in numbers; those that are 0 are left out, but for the first two.
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
fn start(context: &Arc<Context>) -> Tasks {
    let tasks = Tasks::default();
    for (queue_index, subscription) in context.subscriptions.iter().enumerate() {
        for seat in 0..context.settings.connections {
            let (context, subscription) = (Arc::clone(context), Arc::clone(subscription));
            tasks.sync.spawn(SyncQueue { context, subscription, queue_index, seat }.run());
        }
    }
    tasks.leases.spawn(heartbeat::run(Arc::clone(context)));
    tasks.leases.spawn(give_back::run(Arc::clone(context)));
    tasks.helpers.spawn(sleep::run(Arc::clone(context)));
    tasks.helpers.spawn(explain_idle::at_start(Arc::clone(context)));
    let logging = Arc::clone(context);
    tasks.helpers.spawn(async move {
        logging.attempt_log.count_left_out(&logging.signals.closing).await;
    });
    tasks
}
