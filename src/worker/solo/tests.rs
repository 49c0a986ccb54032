use std::future::pending;

use super::{
    super::{
        settlement::Ending,
        shared::tests::{LEASE, shared, work},
        subscription::{Order, Step},
    },
    *,
};
use crate::outcome::Outcome;

/// A worker that holds nothing has claimed a suspect and serves it.
fn arrive(shared: &Arc<Shared>, suspect: Work) {
    let owed = shared.unheard.owe(LEASE);
    assert!(take(shared, &shared.subscriptions[0], &suspect, owed), "closing");
    shared.subscriptions[0].pause();
    let serving = Arc::clone(shared);
    tokio::spawn(async move {
        let _still = Still::stand(&serving);
        serve(&serving, Arc::clone(&serving.subscriptions[0]), suspect).await;
    });
}

/// The next settlements, once there are any; the database accepts them.
async fn settled(shared: &Shared) -> Order {
    loop {
        let later = Instant::now() + Duration::from_secs(1);
        match shared.subscriptions[0].step(later) {
            Step::Send(order) if !order.settlements.is_empty() => {
                shared.ledger.remove(order.settlements.iter().map(|settled| &*settled.hold));
                shared.subscriptions[0].answered(
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

async fn until_it_claims(shared: &Shared) {
    let later = || Instant::now() + Duration::from_secs(1);
    while !matches!(shared.subscriptions[0].step(later()), Step::Send(order) if order.limit > 0) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn a_suspect_that_arrives_at_a_worker_that_closes_counts_as_a_claim_without_an_answer() {
    let shared = shared();
    shared.signals.closing.cancel();
    shared.subscriptions[0].close();
    let suspect = work(&shared, |_| pending());
    shared.ledger.remove([&*suspect.hold].into_iter());
    let owed = shared.unheard.owe(LEASE);
    assert!(!take(&shared, &shared.subscriptions[0], &suspect, owed));
    assert_eq!(shared.unheard.count(), 1);
    assert!(matches!(shared.subscriptions[0].step(Instant::now()), Step::Done));
}

#[tokio::test]
async fn nothing_is_claimed_while_a_suspect_runs_and_everything_when_it_is_settled() {
    let shared = shared();
    arrive(&shared, work(&shared, |_| async { Ok(Outcome::Complete) }));
    let order = settled(&shared).await;
    assert!(matches!(order.settlements[0].ending, Ending::Complete(None)));
    until_it_claims(&shared).await;
}

#[tokio::test(start_paused = true)]
async fn beside_a_long_job_nothing_is_asked_for_and_the_worker_goes_on() {
    let shared = shared();
    let _long = work(&shared, |_| pending());
    let started = tokio::time::Instant::now();
    let still = Still::stand(&shared);
    assert!(matches!(ask(&shared).await, Ok(Asked::NotAlone)));
    assert!(started.elapsed() < STILL_MAX + Duration::from_secs(1), "{:?}", started.elapsed());
    drop(still);
    until_it_claims(&shared).await;
}

#[tokio::test(start_paused = true)]
async fn what_an_answer_says_of_one_queue_holds_until_its_next_one() {
    let shared = shared();
    let wanted = until_wanted(&shared, OTHERS_FIRST);
    assert!(timeout(STILL_MAX, wanted).await.is_err(), "nobody said that one waits");
    let solo = Solo::new(2);
    solo.told(1, true);
    solo.told(0, false);
    assert!(solo.is_waiting());
    solo.told(1, false);
    assert!(!solo.is_waiting(), "another worker has it");
}

#[tokio::test]
async fn a_suspect_whose_lease_is_over_is_given_back() {
    let shared = shared();
    let suspect = work(&shared, |_| pending());
    let ended =
        Instant::now().checked_sub(LEASE).expect("a clock that runs for longer than a lease");
    suspect.hold.extend(ended, Duration::ZERO);
    arrive(&shared, suspect);
    assert!(matches!(settled(&shared).await.settlements[0].ending, Ending::Release));
}

/// A handler whose future panics when it is dropped.
struct Trap;

impl Drop for Trap {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "dropped");
    }
}

#[tokio::test]
async fn a_suspect_whose_handler_panics_when_it_is_dropped_leaves_its_place() {
    let shared = shared();
    let suspect = work(&shared, |_| async {
        let _trap = Trap;
        pending().await
    });
    let hold = Arc::clone(&suspect.hold);
    arrive(&shared, suspect);
    while hold.stage() != Stage::Running {
        tokio::task::yield_now().await;
    }
    shared.signals.kill.cancel();
    let order = settled(&shared).await;
    let Ending::Retry { error, .. } = &order.settlements[0].ending else { panic!("{order:?}") };
    assert!(error.get().contains("panic"));
    until_it_claims(&shared).await;
}
