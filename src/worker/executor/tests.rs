use tokio::task::coop::has_budget_remaining;

use super::{
    super::{
        shared::tests::{shared, work},
        subscription::Step,
    },
    *,
};
use crate::outcome::Outcome;

/// What waits to be settled.
fn outbox(subscription: &Subscription) -> Vec<Settlement> {
    match subscription.step(Instant::now() + Duration::from_secs(1)) {
        Step::Send(order) => order.settlements,
        step => panic!("nothing to settle: {step:?}"),
    }
}

#[tokio::test]
async fn what_an_attempt_ended_with_is_settled_though_the_worker_is_killed_right_then() {
    let shared = shared();
    let subscription = Arc::clone(&shared.subscriptions[0]);
    let kill = shared.signals.kill.clone();
    let job = work(&shared, move |_| {
        let kill = kill.clone();
        async move {
            // what comes next in this task has to yield
            while has_budget_remaining() {
                tokio::task::consume_budget().await;
            }
            kill.cancel();
            Ok(Outcome::Complete)
        }
    });
    let Step::Send(order) = subscription.step(Instant::now()) else { panic!("no claim") };
    let slots = subscription.answered(&order, vec![job], None, Duration::ZERO, Instant::now());
    start(&shared, &subscription, slots);
    shared.slots.close();
    shared.slots.wait().await;
    let settlements = outbox(&subscription);
    assert!(matches!(settlements[..], [Settlement { ending: Ending::Complete(None), .. }]));
}

#[tokio::test]
async fn an_error_of_a_handler_that_was_interrupted_uses_no_attempt_up() {
    let shared = shared();
    let ends = |error: fn() -> JobError, interrupted: bool| {
        let shared = Arc::clone(&shared);
        async move {
            let job = work(&shared, move |attempt| async move {
                attempt.cancellation().cancelled().await;
                Err(error())
            });
            if interrupted {
                job.hold.interrupt();
            } else {
                job.hold.cancellation.cancel();
            }
            run_attempt(&shared, job).await.unwrap().ending
        }
    };
    let retry: fn() -> JobError = || JobError::retry("interrupted");
    let fail: fn() -> JobError = || JobError::fail("no");
    assert!(matches!(ends(retry, false).await, Ending::Retry { .. }), "cancelled by somebody");
    assert!(matches!(ends(retry, true).await, Ending::Release));
    assert!(matches!(ends(fail, true).await, Ending::Fail { .. }));
}
