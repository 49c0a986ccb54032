//! Jobs that were lost twice run alone: two workers died while they ran, and a third may. Nothing else of this worker is in
//! flight then, neither running nor claimed nor unsettled, so nobody else's job can be lost with them.
//!
//! No other claim returns such a suspect; answers to claims tell when one waits. Then this worker runs empty: nothing starts and nothing
//! is claimed until what it holds is settled, and it asks for one suspect. Where jobs run for long it does not wait for their end, but
//! goes on and tries again later; a suspect that no worker takes is failed by the database. Other work gets at least as long as
//! the worker stood still, so that any number of suspects takes half of a worker and no more.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};
use tokio_postgres::types::ToSql;

use super::{
    backoff::{Backoff, jittered},
    claimed::{ClaimContext, Work, column},
    connections::FIRST,
    exchange::{log_claim, may_have_happened},
    executor::{Place, run_attempt},
    hold::{Hold, Stage},
    settlement::Settlement,
    shared::Shared,
    stats::add,
    subscription::Subscription,
    unheard::Owed,
};
use crate::{
    error::{Error, Result},
    statements,
};

/// How long other work has before the first suspect is asked for, and after each at least. Of a fleet one worker asks, and the others
/// hear meanwhile that it is taken.
const OTHERS_FIRST: Duration = Duration::from_secs(1);
/// How often a drain looks whether only suspects are left; no call is made for that.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long a worker stands still at most for a suspect to be alone; less where leases are shorter.
const STILL_MAX: Duration = Duration::from_secs(10);
/// How long other work has at most before a worker of long jobs tries again to run empty.
const OTHERS_MAX: Duration = Duration::from_secs(900);

/// Whether suspects wait.
#[derive(Debug)]
pub(crate) struct Solo {
    /// What the last answer said of each queue.
    waiting: Vec<AtomicBool>,
    changed: Notify,
}

impl Solo {
    pub(crate) fn new(queues: usize) -> Self {
        Self {
            waiting: (0..queues).map(|_| AtomicBool::new(false)).collect(),
            changed: Notify::new(),
        }
    }

    /// An answer said whether a suspect waits in this queue.
    pub(crate) fn told(&self, queue_index: usize, waiting: bool) {
        if !self.waiting[queue_index].swap(waiting, SeqCst) && waiting {
            self.changed.notify_one();
        }
    }

    fn is_waiting(&self) -> bool {
        self.waiting.iter().any(|waiting| waiting.load(SeqCst))
    }

    fn none_left(&self) {
        self.waiting.iter().for_each(|waiting| waiting.store(false, SeqCst));
    }
}

/// Until the worker closes; a suspect that runs then is treated like any other running job.
pub(crate) async fn run(shared: Arc<Shared>) {
    let closing = shared.signals.closing.clone();
    let mut in_vain = Backoff::new(STILL_MAX, OTHERS_MAX);
    let mut others_first = OTHERS_FIRST;
    while closing.run_until_cancelled(until_wanted(&shared, others_first)).await.is_some() {
        let began = Instant::now();
        let still = Still::stand(&shared);
        // dropped on the way, the claim counts as one without an answer
        let Some(asked) = closing.run_until_cancelled(ask(&shared)).await else { return };
        let mut rest = OTHERS_FIRST;
        match asked {
            Ok(Asked::Got(subscription, work)) => {
                serve(&shared, subscription, work).await;
                in_vain.reset();
            }
            Ok(Asked::None) => shared.solo.none_left(),
            Ok(Asked::NotAlone) => rest = in_vain.next(),
            Err(error) => {
                add(&shared.stats.call_failures, 1);
                if !shared.connections.outage.takes(&error) {
                    tracing::warn!(%error, hint = error.hint(), "jobs that are to run alone could not be asked for");
                }
                rest = in_vain.next();
            }
        }
        drop(still);
        others_first = began.elapsed().max(rest);
    }
}

/// Waits until other work has had its time and a suspect waits. A drain asks when nothing else is left, whatever it was told.
async fn until_wanted(shared: &Shared, others_first: Duration) {
    if shared.settings.drain {
        let since = Instant::now();
        loop {
            sleep(LOOK_EVERY).await;
            let rested = since.elapsed() >= others_first;
            if shared.only_suspects_left() || shared.solo.is_waiting() && rested {
                return;
            }
        }
    }
    loop {
        sleep(jittered(others_first)).await;
        let changed = shared.solo.changed.notified();
        if shared.solo.is_waiting() && shared.connections.holds(shared.heart_seat()) {
            return;
        }
        changed.await;
    }
}

/// While it is there nothing starts and nothing is claimed.
struct Still<'a>(&'a Shared);

impl<'a> Still<'a> {
    fn stand(shared: &'a Shared) -> Self {
        for subscription in &shared.subscriptions {
            subscription.pause();
        }
        Self(shared)
    }
}

impl Drop for Still<'_> {
    fn drop(&mut self) {
        for subscription in &self.0.subscriptions {
            subscription.resume();
        }
    }
}

enum Asked {
    Got(Arc<Subscription>, Work),
    None,
    /// What runs here did not end in time.
    NotAlone,
}

/// Runs empty and claims a suspect of any of the worker's queues. It counts as running from here on.
async fn ask(shared: &Shared) -> Result<Asked> {
    if timeout(STILL_MAX.min(shared.settings.lease), until_empty(shared)).await.is_err() {
        tracing::info!("a job waits that is to run alone, and what runs here takes long: later");
        return Ok(Asked::NotAlone);
    }
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
        return Ok(Asked::None);
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
    if !take(shared, subscription, &work, owed) {
        return Ok(Asked::NotAlone);
    }
    shared.after_claim(shared.subscriptions.len(), &mark, 1);
    Ok(Asked::Got(Arc::clone(subscription), work))
}

/// Until this worker holds nothing, and no claim is under way that may bring something.
async fn until_empty(shared: &Shared) {
    loop {
        let shrunk = shared.ledger.shrunk.notified();
        let claiming = shared.subscriptions.iter().any(|subscription| subscription.is_claiming());
        if !claiming && shared.unheard.is_clear() && shared.ledger.len() == 0 {
            return;
        }
        shrunk.await;
    }
}

/// Counts the suspect as held and running. A worker that closes may have nobody left who would settle it: then its claim counts as
/// one without an answer, which gives it back.
fn take(shared: &Shared, subscription: &Subscription, work: &Work, owed: Owed<'_>) -> bool {
    subscription.enter(); // in this order: whoever closes later finds it running
    if shared.signals.closing.is_cancelled() {
        subscription.leave(None);
        return false;
    }
    owed.answered();
    shared.stats.claim(1);
    log_claim(work);
    shared.ledger.add([Arc::clone(&work.hold)].into_iter());
    true
}

/// Runs the suspect to its end and until that is settled.
pub(super) async fn serve(shared: &Arc<Shared>, subscription: Arc<Subscription>, work: Work) {
    let task = shared.slots.spawn(run_alone(Arc::clone(shared), subscription, work));
    // one that blocks its thread must not keep the worker from ending
    if let Some(Err(error)) = shared.signals.finish.run_until_cancelled(task).await {
        tracing::error!(%error, "a job that ran alone broke its task");
    }
}

async fn run_alone(shared: Arc<Shared>, subscription: Arc<Subscription>, work: Work) {
    let hold = Arc::clone(&work.hold);
    // whatever happens to the handler, the place is left and the job handed in
    let place = Place::of(subscription, Arc::clone(&hold));
    let (closing, kill) = (&shared.signals.closing, &shared.signals.kill);
    let settlement = if hold.lease_ends() > Instant::now() && starts(&hold) {
        tracing::warn!(id = %hold.id, attempt = hold.attempt, lost = hold.lost, "its last workers died: it runs alone");
        let attempt = run_attempt(&shared, work);
        match kill.run_until_cancelled(attempt).await {
            Some(settlement) => settlement,
            None => Some(Settlement::release(Arc::clone(&hold))),
        }
    } else {
        Some(Settlement::release(Arc::clone(&hold)))
    };
    place.leave(settlement);
    // resuming before it is settled would put others at risk only if this process dies now; do not wait forever for that
    let settled = timeout(STILL_MAX.min(shared.settings.lease), until_gone(&shared, &hold));
    let _ = closing.run_until_cancelled(settled).await;
}

/// False for a job that was lost meanwhile.
fn starts(hold: &Hold) -> bool {
    hold.advance(Stage::Running) == Stage::Running
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
