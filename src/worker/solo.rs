//! Jobs that were lost twice run alone: two workers died while they ran, and a third may. Nothing else of this worker is in
//! flight then, neither running nor claimed nor unsettled, so nobody else's job can be lost with them.
//!
//! From the moment a suspect arrives nothing starts and nothing is claimed, not even what its own claim brought with it. What
//! runs already is waited for, but not for long: a worker of long jobs puts the suspect off and goes on.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::{sync::Notify, time::timeout};

use super::{
    backoff::jittered,
    claimed::Work,
    executor::{Place, run_attempt},
    hold::{Hold, Stage},
    settlement::{Ending, Settlement},
    shared::Shared,
    subscription::Subscription,
};

/// How long a worker stands still at most for a suspect to be alone; less where leases are shorter.
const STILL_MAX: Duration = Duration::from_secs(10);
/// A suspect that could not be alone is put off for so many leases, so that it costs a worker of long jobs little.
const PUT_OFF_LEASES: u32 = 4;
const PUT_OFF_MAX: Duration = Duration::from_secs(900);

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

/// Takes a suspect, or gives it back when another one has the seat. It counts as running from here on, and nothing starts
/// beside it. To be called while its claim is open, so that the subscription does not end in between.
pub(crate) fn offer(shared: &Shared, subscription: &Arc<Subscription>, work: Work) {
    let mut seat = shared.solo.seat();
    if seat.busy || shared.signals.closing.is_cancelled() {
        drop(seat);
        subscription.post(Settlement::release(work.hold));
        return;
    }
    subscription.enter();
    *seat = Seat { waiting: Some((Arc::clone(subscription), work)), busy: true };
    drop(seat);
    for other in &shared.subscriptions {
        other.pause();
    }
    shared.solo.arrived.notify_one();
}

/// Until the worker closes; a suspect that runs then is treated like any other running job.
pub(crate) async fn run(shared: Arc<Shared>) {
    let (closing, finish) = (shared.signals.closing.clone(), shared.signals.finish.clone());
    while let Some((subscription, work)) = closing.run_until_cancelled(shared.solo.take()).await {
        let task = shared.slots.spawn(run_alone(Arc::clone(&shared), subscription, work));
        // one that blocks its thread must not keep the worker from ending
        if let Some(Err(error)) = finish.run_until_cancelled(task).await {
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

/// Waits until nothing else is in flight, runs the job, and waits until it is settled.
async fn run_alone(shared: Arc<Shared>, subscription: Arc<Subscription>, work: Work) {
    let hold = Arc::clone(&work.hold);
    // whatever happens to the handler, the place is left and the job handed in
    let place = Place::of(subscription, Arc::clone(&hold));
    let (closing, still_max) = (&shared.signals.closing, STILL_MAX.min(shared.settings.lease));
    let alone = timeout(still_max, until_alone(&shared, &hold));
    let settlement = match closing.run_until_cancelled(alone).await {
        Some(Ok(())) if hold.lease_ends() > Instant::now() && starts(&hold) => {
            tracing::warn!(id = %hold.id, attempt = hold.attempt, lost = hold.lost, "its last workers died: it runs alone");
            let attempt = run_attempt(&shared, work);
            match shared.signals.kill.run_until_cancelled(attempt).await {
                Some(settlement) => settlement,
                None => Some(Settlement::release(Arc::clone(&hold))),
            }
        }
        Some(Err(_)) => {
            let delay = put_off(shared.settings.lease);
            tracing::warn!(id = %hold.id, attempt = hold.attempt, ?delay, "its last workers died, and it cannot run alone beside long jobs: it is put off");
            let ending = Ending::Snooze { delay: delay.as_secs_f64() };
            Some(Settlement::new(Arc::clone(&hold), ending))
        }
        _ => Some(Settlement::release(Arc::clone(&hold))),
    };
    place.leave(settlement);
    // resuming before it is settled would put others at risk only if this process dies now; do not wait forever for that
    let settled = timeout(still_max, until_gone(&shared, &hold));
    let _ = closing.run_until_cancelled(settled).await;
}

/// False for a job that was lost meanwhile.
fn starts(hold: &Hold) -> bool {
    hold.advance(Stage::Running) == Stage::Running
}

fn put_off(lease: Duration) -> Duration {
    jittered((lease * PUT_OFF_LEASES).min(PUT_OFF_MAX))
}

async fn until_alone(shared: &Shared, hold: &Hold) {
    loop {
        let shrunk = shared.ledger.shrunk.notified();
        let claiming = shared.subscriptions.iter().any(|subscription| subscription.is_claiming());
        if !claiming && shared.unheard.is_clear() && shared.ledger.holds_nothing_beside(hold) {
            return;
        }
        shrunk.await;
    }
}

async fn until_gone(shared: &Shared, hold: &Hold) {
    loop {
        let shrunk = shared.ledger.shrunk.notified();
        if !shared.ledger.contains(hold) {
            return;
        }
        shrunk.await;
    }
}

#[cfg(test)]
mod tests;
