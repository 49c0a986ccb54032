//! Runs suspects alone: two workers died while such a job ran, and a third may. Nothing else of
//! this worker is in flight then, neither running nor claimed nor unsettled, so that no other job
//! can be lost with it.
//!
//! No other claim returns a suspect; answers to claims tell when one waits. Then this worker runs
//! empty: nothing starts and nothing is claimed until what it holds is settled, and it asks for one
//! suspect. Where jobs run for long it does not wait for their end, but goes on and tries again
//! later; a suspect that no worker takes is failed by the database. Other work gets at least as
//! long as the worker stood still, so that any number of suspects takes half of a worker and no
//! more.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::time::{sleep, timeout};
use tokio_postgres::{Row, types::ToSql};

use crate::{
    error::{Error, Result},
    protocol::statements,
    worker::{
        backoff::{Backoff, jittered},
        claimed_job::{ClaimOf, ClaimedJob, column},
        connections::{FIRST, may_have_happened},
        context::Context,
        held::{
            hold::{Hold, Stage},
            lost_claims::SentClaim,
            settlement::Settlement,
        },
        queue::subscription::Subscription,
        stats::add,
        tasks::execute::{SlotGuard, run_attempt},
    },
};

/// How long other work has before the first suspect is asked for, and at least after each. Of a
/// fleet one worker asks, and the others hear meanwhile that the suspect is taken.
const OTHERS_FIRST: Duration = Duration::from_secs(1);
/// How often a drain looks whether only suspects are left; no call is made for that.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long a worker stands still at most for a suspect to be alone; less where leases are shorter.
const STILL_MAX: Duration = Duration::from_secs(10);
/// How long other work has at most before a worker of long jobs tries again to run empty.
const OTHERS_MAX: Duration = Duration::from_secs(900);

/// Asks for suspects and runs them. Returns once `signals.closing` is cancelled; a suspect that
/// runs then is treated like any other running job.
pub(crate) async fn run(context: Arc<Context>) {
    let closing = context.signals.closing.clone();
    let mut in_vain = Backoff::new(STILL_MAX, OTHERS_MAX);
    let mut others_first = OTHERS_FIRST;
    while closing.run_until_cancelled(until_wanted(&context, others_first)).await.is_some() {
        let began = Instant::now();
        let standstill = Standstill::begin(&context);
        // dropped on the way, the claim counts as lost
        let Some(asked) = closing.run_until_cancelled(ask(&context)).await else { return };
        let mut pause = OTHERS_FIRST;
        match asked {
            Ok(Asked::Got(subscription, job)) => {
                serve(&context, subscription, job).await;
                in_vain.reset();
            }
            Ok(Asked::None) => context.suspects.none_left(),
            Ok(Asked::NotAlone) => pause = in_vain.next(),
            Err(error) => {
                note_failure(&context, &error);
                pause = in_vain.next();
            }
        }
        drop(standstill);
        others_first = began.elapsed().max(pause);
    }
}

fn note_failure(context: &Context, error: &Error) {
    add(&context.stats.call_failures, 1);
    if !context.connections.outage.takes(error) {
        tracing::warn!(
            %error,
            hint = error.hint(),
            "jobs that are to run alone could not be asked for"
        );
    }
}

/// Waits until other work has had its time and a suspect waits. A drain asks when nothing else is
/// left, whatever the answers said.
async fn until_wanted(context: &Context, others_first: Duration) {
    if context.settings.drain {
        let since = Instant::now();
        loop {
            sleep(LOOK_EVERY).await;
            let pause_over = since.elapsed() >= others_first;
            if context.drain.only_suspects_left() || context.suspects.is_waiting() && pause_over {
                return;
            }
        }
    }
    loop {
        sleep(jittered(others_first)).await;
        let changed = context.suspects.changed.notified();
        if context.suspects.is_waiting() && context.holds_heartbeat() {
            return;
        }
        changed.await;
    }
}

/// Keeps every queue from starting and claiming anything, until it is dropped.
struct Standstill<'a>(&'a Context);

impl<'a> Standstill<'a> {
    fn begin(context: &'a Context) -> Self {
        for subscription in &context.subscriptions {
            subscription.pause();
        }
        Self(context)
    }
}

impl Drop for Standstill<'_> {
    fn drop(&mut self) {
        for subscription in &self.0.subscriptions {
            subscription.resume();
        }
    }
}

/// What came of asking for a suspect.
enum Asked {
    Got(Arc<Subscription>, ClaimedJob),
    None,
    /// What runs here did not end in time.
    NotAlone,
}

/// Runs empty and claims a suspect of any of the worker's queues. It counts as running from here
/// on.
async fn ask(context: &Context) -> Result<Asked> {
    let settings = &context.settings;
    if timeout(STILL_MAX.min(settings.lease), until_empty(context)).await.is_err() {
        tracing::info!("a job waits that is to run alone, and what runs here takes long: later");
        return Ok(Asked::NotAlone);
    }
    let (sent_at, patience) = (Instant::now(), settings.call_patience());
    let queues: Vec<&str> =
        context.subscriptions.iter().map(|subscription| &*subscription.queue).collect();
    let connection = context.connections.connection(FIRST, patience).await?;
    let mark = context.drain.begin_suspect();
    let claim = context.lost_claims.sent(settings.lease);
    let (lease, token) = (settings.lease.as_secs_f64(), claim.token());
    let parameters: [&(dyn ToSql + Sync); 5] =
        [&&*settings.worker_id, &queues, &context.types, &lease, &token];
    let rows = match connection.rows(patience, &statements::CLAIM_ALONE, &parameters).await {
        Ok(rows) => rows,
        Err(error) => {
            if may_have_happened(&error) {
                drop(claim); // before the count of these is looked at
            } else {
                claim.answered();
            }
            mark.failed();
            return Err(error);
        }
    };
    let Some(row) = rows.first() else {
        claim.answered();
        context.stats.claim(0);
        mark.answered(0);
        return Ok(Asked::None);
    };
    let (subscription, job) = read(context, row, sent_at)?;
    if !take(context, &subscription, &job, claim) {
        return Ok(Asked::NotAlone);
    }
    mark.answered(1);
    context.jobs_found();
    Ok(Asked::Got(subscription, job))
}

fn read(context: &Context, row: &Row, sent_at: Instant) -> Result<(Arc<Subscription>, ClaimedJob)> {
    let queue: &str = row.try_get(column::QUEUE)?;
    let subscription = context
        .subscriptions
        .iter()
        .find(|subscription| &*subscription.queue == queue)
        .ok_or_else(|| Error::unavailable("a claim answered with a job of another queue"))?;
    let claim = ClaimOf {
        registry: &context.registry,
        queue: &subscription.queue,
        sent_at,
        lease: context.settings.lease,
    };
    Ok((Arc::clone(subscription), claim.job(row)?))
}

/// Waits until this worker holds nothing, and no claim is under way that may bring something.
async fn until_empty(context: &Context) {
    loop {
        let shrunk = context.ledger.shrunk.notified();
        let claiming = context.subscriptions.iter().any(|subscription| subscription.is_claiming());
        if !claiming && context.lost_claims.is_clear() && context.ledger.len() == 0 {
            return;
        }
        shrunk.await;
    }
}

/// Counts the suspect as held and running. In a worker that closes there may be no task left that
/// would settle it: then its claim counts as lost, which gives it back.
fn take(
    context: &Context,
    subscription: &Subscription,
    job: &ClaimedJob,
    claim: SentClaim<'_>,
) -> bool {
    subscription.enter(); // in this order: a shutdown that begins later finds it running
    if context.signals.closing.is_cancelled() {
        subscription.leave(None);
        return false;
    }
    claim.answered();
    context.stats.claim(1);
    context.attempt_log.claimed([&*job.hold].into_iter());
    context.ledger.add([Arc::clone(&job.hold)].into_iter());
    true
}

/// Runs the suspect to its end and until that is settled.
pub(super) async fn serve(
    context: &Arc<Context>,
    subscription: Arc<Subscription>,
    job: ClaimedJob,
) {
    let task = context.slots.spawn(run_alone(Arc::clone(context), subscription, job));
    // one that blocks its thread must not keep the worker from ending
    if let Some(Err(error)) = context.signals.finish.run_until_cancelled(task).await {
        tracing::error!(%error, "a job that ran alone broke its task");
    }
}

async fn run_alone(context: Arc<Context>, subscription: Arc<Subscription>, job: ClaimedJob) {
    let hold = Arc::clone(&job.hold);
    // whatever happens to the handler, the slot is counted out and the job handed in
    let guard = SlotGuard::of(subscription, Arc::clone(&hold));
    let (closing, kill) = (&context.signals.closing, &context.signals.kill);
    let settlement = if hold.lease_ends() > Instant::now() && starts(&hold) {
        let words = format!("{} of its workers have died: it runs alone", hold.lost);
        context.attempt_log.warn(&hold, words);
        let attempt = run_attempt(&context, job);
        match kill.run_until_cancelled(attempt).await {
            Some(settlement) => settlement,
            None => Some(Settlement::release(Arc::clone(&hold))),
        }
    } else {
        Some(Settlement::release(Arc::clone(&hold)))
    };
    guard.leave(settlement);
    // resuming before it is settled would put others at risk only if this process dies now; so this
    // does not wait for ever
    let settled = timeout(STILL_MAX.min(context.settings.lease), until_gone(&context, &hold));
    let _ = closing.run_until_cancelled(settled).await;
}

/// Marks the job as running. False for a job that was lost meanwhile.
fn starts(hold: &Hold) -> bool {
    hold.advance(Stage::Running) == Stage::Running
}

/// Waits until the worker does not hold the job any more.
async fn until_gone(context: &Context, hold: &Hold) {
    loop {
        let shrunk = context.ledger.shrunk.notified();
        if !context.ledger.contains(hold) {
            return;
        }
        shrunk.await;
    }
}

#[cfg(test)]
mod tests;
