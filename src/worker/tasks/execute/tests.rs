use tokio::task::coop::has_budget_remaining;

use super::*;
use crate::{
    protocol::outcome::Outcome,
    worker::{
        context::tests::{claimed_job, context},
        queue::order::Step,
    },
};

/// What waits to be settled.
fn outbox(subscription: &Subscription) -> Vec<Settlement> {
    match subscription.step(Instant::now() + Duration::from_secs(1)) {
        Step::Send(order) => order.settlements,
        step => panic!("nothing to settle: {step:?}"),
    }
}

#[tokio::test]
async fn what_an_attempt_ended_with_is_settled_though_the_worker_is_killed_right_then() {
    let context = context();
    let subscription = Arc::clone(&context.subscriptions[0]);
    let kill = context.signals.kill.clone();
    let job = claimed_job(&context, move |_| {
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
    start(&context, &subscription, slots);
    context.slots.close();
    context.slots.wait().await;
    let settlements = outbox(&subscription);
    assert!(matches!(settlements[..], [Settlement { ending: Ending::Complete(None), .. }]));
}

#[tokio::test]
async fn an_error_of_a_handler_that_was_interrupted_uses_no_attempt_up() {
    let context = context();
    let ends = |error: fn() -> JobError, interrupted: bool| {
        let context = Arc::clone(&context);
        async move {
            let job = claimed_job(&context, move |attempt| async move {
                attempt.cancellation().cancelled().await;
                Err(error())
            });
            if interrupted {
                job.hold.interrupt();
            } else {
                job.hold.cancellation.cancel();
            }
            run_attempt(&context, job).await.unwrap().ending
        }
    };
    let retry: fn() -> JobError = || JobError::retry("interrupted");
    let fail: fn() -> JobError = || JobError::fail("no");
    assert!(matches!(ends(retry, false).await, Ending::Retry { .. }), "it is to be cancelled");
    assert!(matches!(ends(retry, true).await, Ending::Release));
    assert!(matches!(ends(fail, true).await, Ending::Fail { .. }));
}

#[tokio::test]
async fn a_job_that_is_given_back_a_second_time_is_put_off_until_it_comes_to_an_end() {
    let context = context();
    let job = claimed_job(&context, |_| async { Ok(Outcome::Release) });
    let again = |job: &ClaimedJob| ClaimedJob {
        hold: Arc::clone(&job.hold),
        payload: job.payload.clone(),
        timeout: None,
        entry: job.entry.clone(),
    };
    let ended = async |job: ClaimedJob| run_attempt(&context, job).await.unwrap().ending;
    assert!(matches!(ended(again(&job)).await, Ending::Release));
    assert!(matches!(ended(again(&job)).await, Ending::Snooze { .. }));
    let done = claimed_job(&context, |_| async { Ok(Outcome::Complete) });
    let done = ClaimedJob { hold: Arc::clone(&job.hold), ..done };
    assert!(matches!(ended(done).await, Ending::Complete(None)));
    assert!(matches!(ended(again(&job)).await, Ending::Release));
    assert_eq!(context.stats.report().put_off, 1);
    // what a shutdown gives back is no fault of the job
    context.signals.closing.cancel();
    assert!(matches!(ended(job).await, Ending::Release));
}

#[tokio::test]
async fn a_worker_short_of_means_gives_the_job_back_and_claims_pause() {
    let context = context();
    let job = claimed_job(&context, |_| async { Err(JobError::short_of_means("no files")) });
    assert!(matches!(run_attempt(&context, job).await.unwrap().ending, Ending::Release));
    let Step::Wait(Some(until)) = context.subscriptions[0].step(Instant::now()) else {
        panic!("it claims at once")
    };
    let Step::Send(order) = context.subscriptions[0].step(until) else { panic!("for ever") };
    assert_eq!((order.limit, context.stats.report().short_of_means), (1, 1));
}
