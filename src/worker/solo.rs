//! Jobs that were lost twice run alone: two workers died while they ran, and a third may. Nothing else of this worker is in
//! flight then, neither running nor claimed nor unsettled, so nobody else's job can be lost with them.
//!
//! No other claim returns such a suspect. It is asked for now and then, one at a time. Once there is one, nothing starts and nothing
//! is claimed; what runs already is waited for, but not for long: a worker of long jobs puts the suspect off and goes on. Afterwards
//! other work gets at least as long as the suspect took, so that any number of suspects takes half of a worker and no more.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use tokio::time::{sleep, timeout};
use tokio_postgres::types::ToSql;

use super::{
    backoff::{Backoff, jittered},
    claimed::{ClaimContext, Work, column},
    connections::FIRST,
    exchange::{log_claim, may_have_happened},
    executor::{Place, run_attempt},
    hold::{Hold, Stage},
    settlement::{Ending, Settlement},
    shared::Shared,
    stats::add,
    subscription::Subscription,
    unheard::Owed,
};
use crate::{
    error::{Error, Result},
    statements,
};

/// How long other work has before the first suspect is asked for, and after each at least.
const OTHERS_FIRST: Duration = Duration::from_secs(1);
/// How often a worker asks that has something to do, or was woken since.
const ASK_EVERY: Duration = Duration::from_secs(5);
/// How often it asks while nothing happens.
const ASK_IDLE: Duration = Duration::from_secs(60);
/// The same where it would hear of leases that ended.
const ASK_LISTENING: Duration = Duration::from_secs(600);
/// How often it looks whether it is time to ask; no call is made for that.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The same for a drain, which ends when the last suspect has.
const LOOK_EVERY_IN_A_DRAIN: Duration = Duration::from_millis(20);
/// How long a worker stands still at most for a suspect to be alone; less where leases are shorter.
const STILL_MAX: Duration = Duration::from_secs(10);
/// A suspect that could not be alone is put off for so many leases, so that it costs a worker of long jobs little.
const PUT_OFF_LEASES: u32 = 4;
const PUT_OFF_MAX: Duration = Duration::from_secs(900);

/// Whether it is worth asking.
#[derive(Debug, Default)]
pub(crate) struct Solo {
    woken: AtomicBool,
}

impl Solo {
    /// Somebody dispatched, or leases of dead workers have ended.
    pub(crate) fn woken(&self) {
        self.woken.store(true, SeqCst);
    }
}

/// Until the worker closes; a suspect that runs then is treated like any other running job.
pub(crate) async fn run(shared: Arc<Shared>) {
    let closing = shared.signals.closing.clone();
    let mut backoff = Backoff::new(ASK_EVERY, ASK_IDLE);
    let mut others_first = jittered(OTHERS_FIRST);
    while closing.run_until_cancelled(until_due(&shared, others_first)).await.is_some() {
        shared.solo.woken.store(false, SeqCst);
        // dropped on the way, the claim counts as one without an answer
        let Some(asked) = closing.run_until_cancelled(ask(&shared)).await else { return };
        let began = Instant::now();
        match asked {
            Ok(None) => others_first = Duration::ZERO,
            Ok(Some((subscription, work))) => {
                shared.solo.woken.store(true, SeqCst); // there may be more of them
                serve(&shared, subscription, work).await;
                others_first = began.elapsed().max(OTHERS_FIRST);
            }
            Err(error) => {
                add(&shared.stats.call_failures, 1);
                if !shared.connections.outage.takes(&error) {
                    tracing::warn!(%error, hint = error.hint(), "jobs that are to run alone could not be asked for");
                }
                others_first = backoff.next();
                continue;
            }
        }
        backoff.reset();
    }
}

/// Waits until it is time to ask. A drain asks when nothing else is left.
async fn until_due(shared: &Shared, others_first: Duration) {
    let (since, claimed) = (Instant::now(), shared.stats.report().claimed);
    let drain = shared.settings.drain;
    loop {
        sleep(if drain { LOOK_EVERY_IN_A_DRAIN } else { LOOK_EVERY }).await;
        let busy = || {
            shared.solo.woken.load(SeqCst)
                || shared.ledger.len() > 0
                || shared.stats.report().claimed != claimed
        };
        let pause = match others_first {
            Duration::ZERO if busy() => ASK_EVERY,
            Duration::ZERO if shared.is_listening() => ASK_LISTENING,
            Duration::ZERO => ASK_IDLE,
            others_first => others_first,
        };
        let due = since.elapsed() >= pause || drain && shared.only_suspects_left();
        if due && shared.connections.holds(shared.heart_seat()) {
            return;
        }
    }
}

/// Claims a suspect of any of the worker's queues. It counts as running from here on.
async fn ask(shared: &Shared) -> Result<Option<(Arc<Subscription>, Work)>> {
    let (settings, sent_at, patience) = (&shared.settings, Instant::now(), shared.patience());
    let queues: Vec<&str> =
        shared.subscriptions.iter().map(|subscription| &*subscription.queue).collect();
    let line = shared.connections.line(FIRST, patience).await?;
    let mark = shared.before_claim(0);
    let owed = shared.unheard.owe(settings.lease);
    let (lease, token) = (settings.lease.as_secs_f64(), owed.token());
    let parameters: [&(dyn ToSql + Sync); 5] =
        [&&*settings.worker_id, &queues, &shared.types, &lease, &token];
    let answer = line.rows(patience, &statements::CLAIM_ALONE, &parameters).await;
    let rows = match answer {
        Ok(rows) => rows,
        Err(error) => {
            if may_have_happened(&error) {
                drop(owed); // before the count of these is looked at
            } else {
                owed.answered();
            }
            shared.claim_failed(&mark);
            return Err(error);
        }
    };
    let Some(row) = rows.first() else {
        owed.answered();
        shared.stats.claim(0);
        shared.after_claim(shared.subscriptions.len(), &mark, 0);
        return Ok(None);
    };
    let queue: &str = row.try_get(column::QUEUE)?;
    let subscription = shared
        .subscriptions
        .iter()
        .find(|subscription| &*subscription.queue == queue)
        .ok_or_else(|| Error::unavailable("a claim answered with a job of another queue"))?;
    let context = ClaimContext {
        registry: &shared.registry,
        queue: &subscription.queue,
        sent_at,
        lease: settings.lease,
    };
    let work = context.work(row)?;
    Ok(take(shared, subscription, work, owed).inspect(|_| {
        shared.after_claim(shared.subscriptions.len(), &mark, 1);
    }))
}

/// Counts the suspect as held and running. A worker that closes may have nobody left who would settle it: then its claim counts as
/// one without an answer, which gives it back.
fn take(
    shared: &Shared,
    subscription: &Arc<Subscription>,
    work: Work,
    owed: Owed<'_>,
) -> Option<(Arc<Subscription>, Work)> {
    subscription.enter(); // in this order: whoever closes later finds it running
    if shared.signals.closing.is_cancelled() {
        subscription.leave(None);
        return None;
    }
    owed.answered();
    shared.stats.claim(1);
    log_claim(&work);
    shared.ledger.add([Arc::clone(&work.hold)].into_iter());
    Some((Arc::clone(subscription), work))
}

/// Lets nothing start and nothing be claimed until the suspect is over.
pub(super) async fn serve(shared: &Arc<Shared>, subscription: Arc<Subscription>, work: Work) {
    for other in &shared.subscriptions {
        other.pause();
    }
    let task = shared.slots.spawn(run_alone(Arc::clone(shared), subscription, work));
    // one that blocks its thread must not keep the worker from ending
    if let Some(Err(error)) = shared.signals.finish.run_until_cancelled(task).await {
        tracing::error!(%error, "a job that ran alone broke its task");
    }
    for other in &shared.subscriptions {
        other.resume();
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
            Some(Settlement::new(Arc::clone(&hold), Ending::snooze(delay)))
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
