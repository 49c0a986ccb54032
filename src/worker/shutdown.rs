//! The end of a worker, told once: no more claims; what is held may end by itself within the grace period; then handlers are
//! told to stop, then dropped; everything is settled or given back; last of all the heartbeat stops.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::{shared::Shared, unheard};

/// How long tasks have that need no more than a moment to end.
const END_WITHIN: Duration = Duration::from_secs(1);
/// How long the last settlements may take. Past it, leases end by themselves.
const SETTLE_WITHIN: Duration = Duration::from_secs(10);
/// How long the server may take to give up what it was still doing for this worker.
const GIVE_UP_WITHIN: Duration = Duration::from_secs(3);

/// Stops every task of a worker whose `run` was dropped.
pub(crate) struct StopGuard(pub(crate) Arc<Shared>);

impl Drop for StopGuard {
    fn drop(&mut self) {
        let signals = &self.0.signals;
        signals.closing.cancel();
        signals.kill.cancel();
        signals.finish.cancel();
    }
}

pub(crate) async fn shut_down(
    shared: &Arc<Shared>,
    exchangers: &TaskTracker,
    heart: &TaskTracker,
    helpers: &TaskTracker,
) {
    shared.signals.closing.cancel();
    for subscription in &shared.subscriptions {
        subscription.close();
    }
    for tracker in [exchangers, heart, helpers, &shared.slots] {
        tracker.close();
    }
    // Slots live as long as there is anything in a buffer, so their end is the end of the work.
    if timeout(shared.settings.grace, shared.slots.wait()).await.is_err() {
        stop_handlers(shared).await;
    }
    if timeout(SETTLE_WITHIN, exchangers.wait()).await.is_err() {
        let held = shared.ledger.len();
        tracing::error!(
            held,
            "could not settle everything: these jobs wait for the end of their leases"
        );
    }
    shared.signals.finish.cancel();
    let ended = async {
        exchangers.wait().await;
        heart.wait().await;
        helpers.wait().await;
    };
    if timeout(END_WITHIN, ended).await.is_err() {
        tracing::error!("a task of the worker does not end; it is left behind");
    }
    // the process may end with us, and a server that was not told would go on
    let _ = timeout(GIVE_UP_WITHIN, shared.connections.given_up()).await;
    // a last look at what it did for nobody; then leases end by themselves
    let _ = timeout(END_WITHIN, unheard::give_back(shared)).await;
}

/// The grace period is over.
async fn stop_handlers(shared: &Shared) {
    tracing::warn!(
        held = shared.ledger.len(),
        "the grace period is over: stopping what still runs"
    );
    for subscription in &shared.subscriptions {
        subscription.release_buffered();
    }
    for hold in shared.ledger.all() {
        hold.interrupt();
    }
    if timeout(shared.settings.stop_within, shared.slots.wait()).await.is_ok() {
        return;
    }
    shared.signals.kill.cancel();
    // A handler that never yields cannot be dropped. Its job is not given back while it runs; its lease will end.
    if timeout(END_WITHIN, shared.slots.wait()).await.is_err() {
        tracing::error!("a handler blocks its thread and cannot be stopped");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::{
        super::{
            hold::Stage,
            shared::tests::{shared, work},
            solo,
        },
        *,
    };
    use crate::outcome::Outcome;

    #[tokio::test]
    async fn a_job_that_runs_alone_and_blocks_its_thread_does_not_keep_the_worker_from_ending() {
        let shared = shared();
        let (open, gate) = mpsc::channel::<()>();
        let gate = std::sync::Mutex::new(gate);
        let suspect = work(&shared, move |_| {
            let _ = gate.lock().unwrap().recv();
            async { Ok(Outcome::Complete) }
        });
        let hold = Arc::clone(&suspect.hold);
        let subscription = &shared.subscriptions[0];
        subscription.enter();
        let helpers = TaskTracker::new();
        // on a runtime of its own: nothing there goes on while the handler blocks, which is the worst that it can do
        let (serving, subscription) = (Arc::clone(&shared), Arc::clone(subscription));
        let task =
            helpers.track_future(async move { solo::serve(&serving, subscription, suspect).await });
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
        let none = TaskTracker::new();
        let ended = shut_down(&shared, &none, &none, &helpers);
        let ended = timeout(Duration::from_secs(30), ended).await;
        drop(open);
        alone.join().unwrap();
        ended.expect("it hangs");
    }
}
