use std::future::pending;

use super::*;
use crate::{
    protocol::outcome::Outcome,
    worker::{
        context::tests::{claimed_job, context},
        held::settlement::Ending,
        queue::order::{Order, Step},
        settings::tests::LEASE,
    },
};

/// A worker that holds nothing has claimed a suspect and serves it.
fn arrive(context: &Arc<Context>, suspect: ClaimedJob) {
    let claim = context.lost_claims.sent(LEASE);
    assert!(take(context, &context.subscriptions[0], &suspect, claim), "closing");
    context.subscriptions[0].pause();
    let serving = Arc::clone(context);
    tokio::spawn(async move {
        let _standstill = Standstill::begin(&serving);
        serve(&serving, Arc::clone(&serving.subscriptions[0]), suspect).await;
    });
}

/// The next settlements, once there are any; the database accepts them.
async fn settled(context: &Context) -> Order {
    loop {
        let later = Instant::now() + Duration::from_secs(1);
        match context.subscriptions[0].step(later) {
            Step::Send(order) if !order.settlements.is_empty() => {
                context.ledger.remove(order.settlements.iter().map(|settled| &*settled.hold));
                context.subscriptions[0].answered(
                    &order,
                    Vec::new(),
                    None,
                    Duration::ZERO,
                    Instant::now(),
                );
                return order;
            }
            Step::Send(order) => panic!("a claim beside a suspect: {order:?}"),
            _ => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    }
}

async fn until_it_claims(context: &Context) {
    let later = || Instant::now() + Duration::from_secs(1);
    while !matches!(context.subscriptions[0].step(later()), Step::Send(order) if order.limit > 0) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn a_suspect_that_arrives_at_a_worker_that_closes_counts_as_a_lost_claim() {
    let context = context();
    context.signals.closing.cancel();
    context.subscriptions[0].close();
    let suspect = claimed_job(&context, |_| pending());
    context.ledger.remove([&*suspect.hold].into_iter());
    let claim = context.lost_claims.sent(LEASE);
    assert!(!take(&context, &context.subscriptions[0], &suspect, claim));
    assert_eq!(context.lost_claims.count(), 1);
    assert!(matches!(context.subscriptions[0].step(Instant::now()), Step::Done));
}

#[tokio::test]
async fn nothing_is_claimed_while_a_suspect_runs_and_everything_when_it_is_settled() {
    let context = context();
    arrive(&context, claimed_job(&context, |_| async { Ok(Outcome::Complete) }));
    let order = settled(&context).await;
    assert!(matches!(order.settlements[0].ending, Ending::Complete(None)));
    until_it_claims(&context).await;
}

#[tokio::test(start_paused = true)]
async fn beside_a_long_job_nothing_is_asked_for_and_the_worker_goes_on() {
    let context = context();
    let _long = claimed_job(&context, |_| pending());
    let started = tokio::time::Instant::now();
    let standstill = Standstill::begin(&context);
    assert!(matches!(ask(&context).await, Ok(Asked::NotAlone)));
    assert!(started.elapsed() < STILL_MAX + Duration::from_secs(1), "{:?}", started.elapsed());
    drop(standstill);
    until_it_claims(&context).await;
}

#[tokio::test(start_paused = true)]
async fn no_suspect_is_asked_for_before_an_answer_says_that_one_waits() {
    let context = context();
    let wanted = until_wanted(&context, OTHERS_FIRST);
    assert!(timeout(STILL_MAX, wanted).await.is_err(), "no answer said so");
}

#[tokio::test]
async fn a_suspect_whose_lease_is_over_is_given_back() {
    let context = context();
    let suspect = claimed_job(&context, |_| pending());
    let ended =
        Instant::now().checked_sub(LEASE).expect("a clock that runs for longer than a lease");
    suspect.hold.extend(ended, Duration::ZERO);
    arrive(&context, suspect);
    assert!(matches!(settled(&context).await.settlements[0].ending, Ending::Release));
}

/// A handler whose future panics when it is dropped.
struct Trap;

impl Drop for Trap {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "dropped");
    }
}

#[tokio::test]
async fn a_suspect_whose_handler_panics_when_it_is_dropped_is_counted_out() {
    let context = context();
    let suspect = claimed_job(&context, |_| async {
        let _trap = Trap;
        pending().await
    });
    let hold = Arc::clone(&suspect.hold);
    arrive(&context, suspect);
    while hold.stage() != Stage::Running {
        tokio::task::yield_now().await;
    }
    context.signals.kill.cancel();
    let order = settled(&context).await;
    let Ending::Retry { error, .. } = &order.settlements[0].ending else { panic!("{order:?}") };
    assert!(error.get().contains("panic"));
    until_it_claims(&context).await;
}
