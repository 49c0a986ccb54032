//! Runs jobs in slots: tasks that run one handler after another, as long as there is work.

use std::{
    any::Any,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use tracing::Instrument;

use crate::{
    protocol::outcome::{JobError, Next},
    worker::{
        attempt::Attempt,
        claimed_job::ClaimedJob,
        context::Context,
        held::{
            hold::{Hold, Stage},
            settlement::{Ending, Settlement},
        },
        log::wording::Span,
        queue::{order::Ended, subscription::Subscription},
        stats::add,
    },
};

/// Starts this many slots, which the subscription has counted as running.
pub(crate) fn start(context: &Arc<Context>, subscription: &Arc<Subscription>, slots: usize) {
    for _ in 0..slots {
        let guard = SlotGuard { subscription: Arc::clone(subscription), job: None, left: false };
        let slot = run_slot(Arc::clone(context), guard);
        let kill = context.signals.kill.clone();
        // dropping the slot drops the handler; its guard then gives the job back
        context.slots.spawn(async move { kill.run_until_cancelled_owned(slot).await });
    }
}

async fn run_slot(context: Arc<Context>, mut guard: SlotGuard) {
    let (mut ended, mut now) = (None, Instant::now());
    while let Some(job) = guard.subscription.next(ended.take(), now) {
        let started = now;
        guard.job = Some(Arc::clone(&job.hold));
        // here and not after the attempt: a slot that is stopped at an await still has a job to
        // give back, and no ending to lose
        tokio::task::consume_budget().await;
        let settlement = run_attempt(&context, job).await;
        guard.job = None;
        now = Instant::now();
        ended = Some(Ended { settlement, took: now - started });
    }
    guard.left = true; // without a next job the subscription has counted it out
}

/// Counts one slot out when it ends, and hands in the job that ran in it, however it ends: by
/// itself, stopped, or in a panic.
pub(crate) struct SlotGuard {
    subscription: Arc<Subscription>,
    /// What runs at this moment.
    job: Option<Arc<Hold>>,
    left: bool,
}

impl SlotGuard {
    /// Guards a job that counts as running already.
    pub(crate) fn of(subscription: Arc<Subscription>, job: Arc<Hold>) -> Self {
        Self { subscription, job: Some(job), left: false }
    }

    pub(crate) fn leave(mut self, settlement: Option<Settlement>) {
        self.left = true;
        self.subscription.leave(settlement);
    }
}

impl Drop for SlotGuard {
    fn drop(&mut self) {
        if self.left {
            return;
        }
        let settlement = self.job.take().map(|hold| {
            let ending = if std::thread::panicking() {
                panicked("its future panicked when it was dropped")
            } else {
                Ending::Release
            };
            Settlement::new(hold, ending)
        });
        self.subscription.leave(settlement);
    }
}

/// Runs one job to its end. None when there is nothing to tell the database.
pub(crate) async fn run_attempt(context: &Context, job: ClaimedJob) -> Option<Settlement> {
    let ClaimedJob { hold, payload, timeout, entry } = job;
    let Some(entry) = entry else { return Some(Settlement::release(hold)) };
    let timeout = timeout.or(context.settings.attempt_timeout);
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let worker_id = Arc::clone(&context.settings.worker_id);
    let attempt = Attempt::new(Arc::clone(&hold), worker_id, deadline);
    let span = tracing::info_span!(
        target: "fairclaim::worker",
        "attempt",
        id = %hold.id,
        r#type = &*hold.job_type,
        tenant = &*context.tenant_labels.of(hold.tenant),
        queue = &*hold.queue,
        attempt = hold.attempt
    );
    let handler = AssertUnwindSafe(async { (entry.handler.0)(payload, attempt).await })
        .catch_unwind()
        .instrument(span);
    let began = Instant::now();
    hold.begins(began);
    let ended = match deadline {
        None => Some(handler.await),
        Some(deadline) => tokio::time::timeout_at(deadline.into(), handler).await.ok(),
    };
    let ran = began.elapsed();
    hold.has_run(ran);
    context.run_times.add(&hold, ran);
    let ending = match ended {
        Some(Ok(Ok(outcome))) => match Ending::of_outcome(outcome, &hold) {
            Some(ending) => ending,
            None => return settled(context, &hold),
        },
        Some(Ok(Err(error))) if hold.is_interrupted() && wants_retry(&error) => Ending::Release,
        Some(Ok(Err(error))) => {
            if error.next() == Next::Release {
                short_of_means(context, &hold, &error);
            }
            Ending::of(&error)
        }
        Some(Err(panic)) => {
            add(&context.stats.panicked, 1);
            panicked(panic_text(panic.as_ref()))
        }
        None => {
            add(&context.stats.timed_out, 1);
            timed_out(timeout.unwrap_or_default())
        }
    };
    let ending = bounded(context, &hold, ending);
    Some(Settlement::new(hold, ending))
}

/// Puts a job off that is given back again without a charge: only the first time it comes back at
/// once. That a shutdown gives a job back is no fault of the job.
fn bounded(context: &Context, hold: &Hold, ending: Ending) -> Ending {
    if !matches!(ending, Ending::Release) {
        context.put_off.forget(hold.id);
        return ending;
    }
    if context.signals.closing.is_cancelled() {
        return ending;
    }
    let Some(delay) = context.put_off.again(hold.id) else { return ending };
    let put_off = Span::of(delay);
    context.attempt_log.warn(
        hold,
        format_args!("given back again without an attempt used up: it is put off by {put_off}"),
    );
    add(&context.stats.put_off, 1);
    Ending::snooze(delay)
}

fn short_of_means(context: &Context, hold: &Hold, error: &JobError) {
    add(&context.stats.short_of_means, 1);
    let now = Instant::now();
    let queue = context.subscriptions.iter().find(|subscription| subscription.queue == hold.queue);
    if queue.is_some_and(|subscription| subscription.short_of_means(now)) {
        tracing::warn!(
            queue = &*hold.queue,
            error = error.message(),
            hint = "give this worker more open files, processes or memory (ulimit, the limits of \
                    its container), or let it run fewer jobs at once (--queue name:number)",
            "this worker is short of its own means: jobs go back without a charge, and it claims \
             fewer"
        );
    }
}

/// Whether an error asks for another attempt. Being stopped by a shutdown or an outage is no
/// failure of the job, so such an error then uses no attempt up.
fn wants_retry(error: &JobError) -> bool {
    matches!(error.next(), Next::Retry(_))
}

/// Notes that the handler's own transaction settled the job: there is nothing to tell the database.
fn settled(context: &Context, hold: &Hold) -> Option<Settlement> {
    hold.advance(Stage::Settled);
    context.attempt_log.completed(hold);
    add(&context.stats.completed, 1);
    context.ledger.remove([hold].into_iter());
    None
}

fn panicked(text: &str) -> Ending {
    Ending::of(&JobError::retry(format!("the handler panicked: {text}")).code("panic"))
}

fn timed_out(timeout: Duration) -> Ending {
    Ending::of(
        &JobError::retry(format!("no end within {} s", timeout.as_secs_f64())).code("timeout"),
    )
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}

#[cfg(test)]
mod tests;
