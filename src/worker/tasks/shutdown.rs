//! Ends a worker: it claims nothing more; what it holds may end by itself within the grace period;
//! then handlers are told to stop, then dropped; everything is settled or given back; last of all
//! the heartbeat stops.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::worker::{
    context::Context,
    tasks::{give_back::give_back, report},
};

/// How long tasks have that need no more than a moment to end.
const END_WITHIN: Duration = Duration::from_secs(1);
/// How long the last settlements may take. Past it, leases end by themselves.
const SETTLE_WITHIN: Duration = Duration::from_secs(10);
/// How long the server may take to give up what it was still doing for this worker.
const GIVE_UP_WITHIN: Duration = Duration::from_secs(3);

/// Stops every task of a worker whose `run` was dropped.
pub(crate) struct StopGuard(pub(crate) Arc<Context>);

impl Drop for StopGuard {
    fn drop(&mut self) {
        let signals = &self.0.signals;
        signals.closing.cancel();
        signals.kill.cancel();
        signals.finish.cancel();
    }
}

/// The tasks of a worker beside its slots, by when they end.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    /// The tasks that settle and claim; they end when everything is settled.
    pub(crate) sync: TaskTracker,
    /// The tasks that keep leases and give lost claims back; they end last.
    pub(crate) leases: TaskTracker,
    /// All other tasks; they end when the worker closes.
    pub(crate) helpers: TaskTracker,
}

/// Shuts the worker down. Returns when everything is settled, or cannot be.
pub(crate) async fn shut_down(context: &Arc<Context>, tasks: &Tasks) {
    context.signals.closing.cancel();
    for subscription in &context.subscriptions {
        subscription.close();
    }
    for tracker in [&tasks.sync, &tasks.leases, &tasks.helpers, &context.slots] {
        tracker.close();
    }
    // slots live as long as there is anything in a buffer, so their end is the end of the work
    if timeout(context.settings.grace, context.slots.wait()).await.is_err() {
        stop_handlers(context).await;
    }
    if timeout(SETTLE_WITHIN, tasks.sync.wait()).await.is_err() {
        let held = context.ledger.len();
        tracing::error!(
            held,
            "could not settle everything: these jobs wait for the end of their leases"
        );
    }
    context.signals.finish.cancel();
    let ended = async {
        tasks.sync.wait().await;
        tasks.leases.wait().await;
        tasks.helpers.wait().await;
    };
    if timeout(END_WITHIN, ended).await.is_err() {
        tracing::error!("a task of the worker does not end; it is left behind");
    }
    // the process may end now, and a server that was not asked to stop would go on
    let _ = timeout(GIVE_UP_WITHIN, context.connections.given_up()).await;
    // a last look at what lost claims took; then leases end by themselves
    let _ = timeout(END_WITHIN, give_back(context)).await;
    let _ = timeout(END_WITHIN, report::at_end(context)).await;
}

/// Stops the handlers that still run when the grace period is over.
async fn stop_handlers(context: &Context) {
    tracing::warn!(
        held = context.ledger.len(),
        "the grace period is over: stopping what still runs"
    );
    for subscription in &context.subscriptions {
        subscription.release_buffered();
    }
    for hold in context.ledger.all() {
        hold.interrupt();
    }
    if timeout(context.settings.stop_within, context.slots.wait()).await.is_ok() {
        return;
    }
    context.signals.kill.cancel();
    // A handler that never yields cannot be dropped. Its job is not given back while it runs; its
    // lease will end.
    if timeout(END_WITHIN, context.slots.wait()).await.is_err() {
        tracing::error!("a handler blocks its thread and cannot be stopped");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::{
        protocol::outcome::Outcome,
        worker::{
            context::tests::{claimed_job, context},
            held::hold::Stage,
            tasks::run_alone,
        },
    };

    #[tokio::test]
    async fn a_job_that_runs_alone_and_blocks_its_thread_does_not_keep_the_worker_from_ending() {
        let context = context();
        let (open, gate) = mpsc::channel::<()>();
        let gate = std::sync::Mutex::new(gate);
        let suspect = claimed_job(&context, move |_| {
            let _ = gate.lock().unwrap().recv();
            async { Ok(Outcome::Complete) }
        });
        let hold = Arc::clone(&suspect.hold);
        let subscription = &context.subscriptions[0];
        subscription.enter();
        let tasks = Tasks::default();
        // on a runtime of its own: nothing there goes on while the handler blocks, which is the
        // worst that it can do
        let (serving, subscription) = (Arc::clone(&context), Arc::clone(subscription));
        let task = tasks
            .helpers
            .track_future(async move { run_alone::serve(&serving, subscription, suspect).await });
        let alone = std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build()
                .unwrap()
                .block_on(task);
        });
        while hold.stage() != Stage::Running {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let ended = shut_down(&context, &tasks);
        let ended = timeout(Duration::from_secs(30), ended).await;
        drop(open);
        alone.join().unwrap();
        ended.expect("it hangs");
    }
}
