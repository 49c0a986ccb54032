//! Slots: tasks that run one handler after another, as long as there is work.

use std::{
    any::Any,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use tracing::Instrument;

use super::{
    attempt::Attempt,
    claimed::Work,
    hold::{Hold, Stage},
    settlement::{Ending, Settlement},
    shared::Shared,
    stats::add,
    subscription::{Ended, Subscription},
};
use crate::outcome::{JobError, Next};

/// Starts this many slots, which the subscription has counted as running.
pub(crate) fn start(shared: &Arc<Shared>, subscription: &Arc<Subscription>, slots: usize) {
    for _ in 0..slots {
        let place = Place { subscription: Arc::clone(subscription), job: None, left: false };
        let slot = run_slot(Arc::clone(shared), place);
        let kill = shared.signals.kill.clone();
        // dropping the slot drops the handler; its place then gives the job back
        shared.slots.spawn(async move { kill.run_until_cancelled_owned(slot).await });
    }
}

async fn run_slot(shared: Arc<Shared>, mut place: Place) {
    let (mut ended, mut now) = (None, Instant::now());
    while let Some(work) = place.subscription.next(ended.take(), now) {
        let started = now;
        place.job = Some(Arc::clone(&work.hold));
        // here and not after the attempt: whoever is stopped at an await still has a job to give back, and no ending to lose
        tokio::task::consume_budget().await;
        let settlement = run_attempt(&shared, work).await;
        place.job = None;
        now = Instant::now();
        ended = Some(Ended { settlement, took: now - started });
    }
    place.left = true; // without a next job it is
}

/// A place among what runs of a queue. However its holder ends, by itself, stopped or in a panic, the place is left, and the
/// job that ran in it is handed in.
pub(crate) struct Place {
    subscription: Arc<Subscription>,
    /// What runs at this moment.
    job: Option<Arc<Hold>>,
    left: bool,
}

impl Place {
    /// For a job that counts as running already.
    pub(crate) fn of(subscription: Arc<Subscription>, job: Arc<Hold>) -> Self {
        Self { subscription, job: Some(job), left: false }
    }

    pub(crate) fn leave(mut self, settlement: Option<Settlement>) {
        self.left = true;
        self.subscription.leave(settlement);
    }
}

impl Drop for Place {
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
pub(crate) async fn run_attempt(shared: &Shared, work: Work) -> Option<Settlement> {
    let Work { hold, payload, timeout, entry } = work;
    let Some(entry) = entry else { return Some(Settlement::release(hold)) };
    let timeout = timeout.or(shared.settings.attempt_timeout);
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let attempt = Attempt::new(Arc::clone(&hold), Arc::clone(&shared.settings.worker_id), deadline);
    let span = tracing::info_span!(
        "attempt",
        id = %hold.id,
        r#type = &*hold.job_type,
        tenant = %hold.tenant,
        queue = &*hold.queue,
        attempt = hold.attempt
    );
    let handler = AssertUnwindSafe(async { (entry.handler.0)(payload, attempt).await })
        .catch_unwind()
        .instrument(span);
    let began = Instant::now();
    let ended = match deadline {
        None => Some(handler.await),
        Some(deadline) => tokio::time::timeout_at(deadline.into(), handler).await.ok(),
    };
    hold.has_run(began.elapsed());
    let ending = match ended {
        Some(Ok(Ok(outcome))) => match Ending::of_outcome(outcome, &hold) {
            Some(ending) => ending,
            None => return settled(shared, &hold),
        },
        Some(Ok(Err(error))) if hold.is_interrupted() && wants_retry(&error) => Ending::Release,
        Some(Ok(Err(error))) => {
            if error.next() == Next::Release {
                short_of_means(shared, &hold, &error);
            }
            Ending::of(&error)
        }
        Some(Err(panic)) => {
            add(&shared.stats.panicked, 1);
            panicked(panic_text(panic.as_ref()))
        }
        None => {
            add(&shared.stats.timed_out, 1);
            timed_out(timeout.unwrap_or_default())
        }
    };
    let ending = bounded(shared, &hold, ending);
    Some(Settlement::new(hold, ending))
}

/// What is given back without a charge comes back at once only the first time; that a shutdown gives back is no fault of the job.
fn bounded(shared: &Shared, hold: &Hold, ending: Ending) -> Ending {
    if !matches!(ending, Ending::Release) {
        shared.given_back.forget(hold.id);
        return ending;
    }
    if shared.signals.closing.is_cancelled() {
        return ending;
    }
    let Some(delay) = shared.given_back.again(hold.id) else { return ending };
    tracing::warn!(id = %hold.id, attempt = hold.attempt, ?delay, "given back again without an attempt used up: it is put off");
    add(&shared.stats.put_off, 1);
    Ending::snooze(delay)
}

fn short_of_means(shared: &Shared, hold: &Hold, error: &JobError) {
    add(&shared.stats.short_of_means, 1);
    let now = Instant::now();
    let queue = shared.subscriptions.iter().find(|subscription| subscription.queue == hold.queue);
    if queue.is_some_and(|subscription| subscription.short_of_means(now)) {
        tracing::warn!(
            queue = &*hold.queue,
            error = error.message(),
            hint = "give this worker more open files, processes or memory (ulimit, the limits of its container), or let it run \
                    fewer at once (--queue name:number)",
            "this worker is short of its own means: jobs go back without a charge, and it claims fewer"
        );
    }
}

/// Being stopped by a shutdown or an outage is no failure of the job, so what asks for another attempt then uses none up.
fn wants_retry(error: &JobError) -> bool {
    matches!(error.next(), Next::Retry(_))
}

/// The handler's own transaction did it: there is nothing to tell the database.
fn settled(shared: &Shared, hold: &Hold) -> Option<Settlement> {
    hold.advance(Stage::Settled);
    shared.attempt_log.completed(hold);
    add(&shared.stats.completed, 1);
    shared.ledger.remove([hold].into_iter());
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
