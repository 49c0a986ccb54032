//! What the tasks of one worker tell each other.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// The signals on which a worker's tasks end, in the order in which a shutdown gives them.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    /// The worker shuts down: it claims nothing more, listens no more and calls no maintenance.
    pub(crate) closing: CancellationToken,
    /// The grace period is over, and handlers had time enough to stop: they are dropped.
    pub(crate) kill: CancellationToken,
    /// Everything is settled, or never will be: nothing is sent any more.
    pub(crate) finish: CancellationToken,
    /// A drain found the queues empty.
    pub(crate) drained: CancellationToken,
}

/// What makes the next tick come sooner than the database asked for.
#[derive(Debug, Default)]
pub(crate) struct MaintenanceSignals {
    /// Notified when `due` or `busy` was set.
    pub(crate) changed: Notify,
    /// Something will be due that the last tick may not have seen.
    due: AtomicBool,
    /// There was work since the last tick.
    busy: AtomicBool,
    /// Notified when a tick answered that it is time to prune.
    pub(crate) prune_due: Notify,
}

impl MaintenanceSignals {
    /// Notes that something will be due that the last tick may not have seen.
    pub(crate) fn set_due(&self) {
        if !self.due.swap(true, SeqCst) {
            self.changed.notify_one();
        }
    }

    /// Notes that there is work, here or elsewhere.
    pub(crate) fn set_busy(&self) {
        if !self.busy.swap(true, SeqCst) {
            self.changed.notify_one();
        }
    }

    pub(crate) fn is_due(&self) -> bool {
        self.due.load(SeqCst)
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.busy.load(SeqCst)
    }

    /// Forgets what was noted, since a tick begins.
    pub(crate) fn clear(&self) {
        self.due.store(false, SeqCst);
        self.busy.store(false, SeqCst);
    }
}

/// What keeps a worker from sleeping, and what ends its sleep.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    /// Notified when the application wants the worker to be awake; remembered while it is.
    woken: Arc<Notify>,
    /// How often something happened that may bring work.
    events: AtomicU64,
}

impl Activity {
    /// Counts something that may bring work.
    pub(crate) fn note(&self) {
        self.events.fetch_add(1, SeqCst);
    }

    /// How often something happened since the start.
    pub(crate) fn events(&self) -> u64 {
        self.events.load(SeqCst)
    }

    /// What [`WorkerHandle::wake`](super::WorkerHandle::wake) notifies.
    pub(crate) fn woken(&self) -> &Arc<Notify> {
        &self.woken
    }
}
