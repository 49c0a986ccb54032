//! The end of a worker, told once: no more claims; what is held may end by itself within the grace period; then handlers are
//! told to stop, then dropped; everything is settled or given back; last of all the heartbeat stops.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::shared::Shared;

/// How long handlers have between the cancelling of their token and their end.
const STOP_WITHIN: Duration = Duration::from_secs(1);
/// How long the last settlements may take. Past it, leases end by themselves.
const SETTLE_WITHIN: Duration = Duration::from_secs(10);

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
    exchangers.wait().await;
    heart.wait().await;
    helpers.wait().await;
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
        hold.cancellation.cancel();
    }
    if timeout(STOP_WITHIN, shared.slots.wait()).await.is_ok() {
        return;
    }
    shared.signals.kill.cancel();
    // A handler that never yields cannot be dropped. Its job is not given back while it runs; its lease will end.
    if timeout(STOP_WITHIN, shared.slots.wait()).await.is_err() {
        tracing::error!("a handler blocks its thread and cannot be stopped");
    }
}
