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
use crate::outcome::{JobError, Outcome};

/// Starts this many slots, which the subscription has counted as running.
pub(crate) fn start(shared: &Arc<Shared>, subscription: &Arc<Subscription>, slots: usize) {
    for _ in 0..slots {
        let slot = Slot {
            shared: Arc::clone(shared),
            subscription: Arc::clone(subscription),
            job: None,
            over: false,
        };
        let kill = shared.signals.kill.clone();
        // dropping the slot drops the handler; the slot then gives its job back
        shared.slots.spawn(async move { kill.run_until_cancelled_owned(slot.run()).await });
    }
}

struct Slot {
    shared: Arc<Shared>,
    subscription: Arc<Subscription>,
    /// What runs at this moment.
    job: Option<Arc<Hold>>,
    over: bool,
}

impl Slot {
    async fn run(mut self) {
        let (mut ended, mut now) = (None, Instant::now());
        while let Some(work) = self.subscription.next(ended.take(), now) {
            let started = now;
            self.job = Some(Arc::clone(&work.hold));
            let settlement = run_attempt(&self.shared, work).await;
            self.job = None;
            now = Instant::now();
            ended = Some(Ended { settlement, took: now - started });
            tokio::task::consume_budget().await;
        }
        self.over = true;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if self.over {
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
    let ended = match deadline {
        None => Some(handler.await),
        Some(deadline) => tokio::time::timeout_at(deadline.into(), handler).await.ok(),
    };
    let ending = match ended {
        Some(Ok(Ok(outcome))) => return settle_outcome(shared, hold, outcome),
        Some(Ok(Err(error))) => Ending::of(&error),
        Some(Err(panic)) => {
            add(&shared.stats.panicked, 1);
            panicked(panic_text(panic.as_ref()))
        }
        None => {
            add(&shared.stats.timed_out, 1);
            timed_out(timeout.unwrap_or_default())
        }
    };
    Some(Settlement::new(hold, ending))
}

fn settle_outcome(shared: &Shared, hold: Arc<Hold>, outcome: Outcome) -> Option<Settlement> {
    if let Some(ending) = Ending::of_outcome(outcome, &hold) {
        return Some(Settlement::new(hold, ending));
    }
    hold.advance(Stage::Settled);
    add(&shared.stats.completed, 1);
    shared.ledger.remove([&*hold].into_iter());
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
