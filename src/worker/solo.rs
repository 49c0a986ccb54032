//! Jobs that were lost twice run alone: two workers died while they ran, and a third may. Nothing else of this worker is in
//! flight then, neither running nor claimed nor unsettled, so nobody else's job can be lost with them.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{
    claimed::Work,
    executor::run_attempt,
    hold::Stage,
    settlement::{Ending, Settlement},
    shared::Shared,
    subscription::Subscription,
};

/// One suspect at a time; others go back to the queue meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Solo {
    seat: Mutex<Seat>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Seat {
    waiting: Option<(Arc<Subscription>, Work)>,
    busy: bool,
}

impl Solo {
    /// Takes a suspect, or gives it back when another one has the seat. It counts as running from here on. To be called
    /// while its claim is open, so that the subscription does not end in between.
    pub(crate) fn offer(
        &self,
        subscription: &Arc<Subscription>,
        work: Work,
        closing: &CancellationToken,
    ) {
        let mut seat = self.seat();
        if seat.busy || closing.is_cancelled() {
            drop(seat);
            subscription.post(Settlement::release(work.hold));
            return;
        }
        subscription.enter();
        *seat = Seat { waiting: Some((Arc::clone(subscription), work)), busy: true };
        drop(seat);
        self.arrived.notify_one();
    }

    async fn take(&self) -> (Arc<Subscription>, Work) {
        loop {
            let waiting = self.seat().waiting.take();
            match waiting {
                Some(suspect) => return suspect,
                None => self.arrived.notified().await,
            }
        }
    }

    fn free(&self) {
        self.seat().busy = false;
    }

    fn seat(&self) -> MutexGuard<'_, Seat> {
        self.seat.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Until the worker closes; a suspect that runs then is treated like any other running job.
pub(crate) async fn run(shared: Arc<Shared>) {
    let closing = shared.signals.closing.clone();
    while let Some((subscription, work)) = closing.run_until_cancelled(shared.solo.take()).await {
        for other in &shared.subscriptions {
            other.pause();
        }
        let task = shared.slots.spawn(run_alone(Arc::clone(&shared), subscription, work));
        if let Err(error) = task.await {
            tracing::error!(%error, "a job that ran alone broke its task");
        }
        for other in &shared.subscriptions {
            other.resume();
        }
        shared.solo.free();
    }
    // One that was offered just before; whoever offers one later finds the worker closing.
    let late = shared.solo.seat().waiting.take();
    if let Some((subscription, work)) = late {
        subscription.leave(Some(Settlement::release(work.hold)));
    }
}

/// Waits until nothing else is in flight, for as long as one lease; then the job is put off for as long, so that a worker
/// of long jobs is not held up by one suspect.
async fn run_alone(shared: Arc<Shared>, subscription: Arc<Subscription>, work: Work) {
    let (hold, lease) = (Arc::clone(&work.hold), shared.settings.lease);
    let stop = shared.signals.closing.clone();
    let alone = stop.run_until_cancelled(tokio::time::timeout(lease, until_alone(&shared))).await;
    let settlement = match alone {
        Some(Ok(())) if hold.lease_ends() <= Instant::now() => {
            Some(Settlement::release(Arc::clone(&hold)))
        }
        Some(Ok(())) => {
            tracing::warn!(id = %hold.id, attempt = hold.attempt, lost = hold.lost, "its last workers died: it runs alone");
            hold.advance(Stage::Running);
            let kill = shared.signals.kill.clone();
            match kill.run_until_cancelled(run_attempt(&shared, work)).await {
                Some(settlement) => settlement,
                None => Some(Settlement::release(Arc::clone(&hold))),
            }
        }
        Some(Err(_)) => Some(Settlement::new(Arc::clone(&hold), put_off(lease))),
        None => Some(Settlement::release(Arc::clone(&hold))),
    };
    subscription.leave(settlement);
    // resuming before it is settled would put others at risk only if this process dies now; do not wait forever for that
    let _ = tokio::time::timeout(lease, until_held(&shared, 0)).await;
}

fn put_off(lease: Duration) -> Ending {
    Ending::Snooze { delay: lease.as_secs_f64() }
}

async fn until_alone(shared: &Shared) {
    loop {
        let shrunk = shared.ledger.shrunk.notified();
        let claiming = shared.subscriptions.iter().any(|subscription| subscription.is_claiming());
        if !claiming && shared.ledger.len() <= 1 {
            return;
        }
        shrunk.await;
    }
}

async fn until_held(shared: &Shared, count: usize) {
    loop {
        let shrunk = shared.ledger.shrunk.notified();
        if shared.ledger.len() <= count {
            return;
        }
        shrunk.await;
    }
}
