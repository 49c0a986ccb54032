use std::future::pending;

use super::{
    super::{
        claimed::Work,
        shared::tests::{LEASE, shared, work},
        subscription::{Order, Step},
    },
    *,
};
use crate::outcome::Outcome;

/// A suspect arrives while the subscription's claim is open, and is served; then the claim is answered.
fn arrive(shared: &Arc<Shared>, suspect: Work, company: Vec<Work>) -> usize {
    let subscription = &shared.subscriptions[0];
    let Step::Send(order) = subscription.step(Instant::now()) else { panic!("no claim") };
    let owed = shared.unheard.owe(LEASE);
    let Some((at, suspect)) = take(shared, subscription, suspect, owed) else { panic!("closing") };
    for other in &shared.subscriptions {
        other.pause();
    }
    let serving = Arc::clone(shared);
    tokio::spawn(async move { serve(&serving, at, suspect).await });
    subscription.answered(&order, company, None, Duration::ZERO, Instant::now())
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

#[tokio::test]
async fn a_suspect_that_arrives_at_a_worker_that_closes_counts_as_a_claim_without_an_answer() {
    let shared = shared();
    shared.signals.closing.cancel();
    shared.subscriptions[0].close();
    let suspect = work(&shared, |_| pending());
    let owed = shared.unheard.owe(LEASE);
    assert!(take(&shared, &shared.subscriptions[0], suspect, owed).is_none());
    assert_eq!(shared.unheard.count(), 1);
    assert!(matches!(shared.subscriptions[0].step(Instant::now()), Step::Done));
}

async fn until_it_claims(shared: &Shared) {
    let later = || Instant::now() + Duration::from_secs(1);
    while !matches!(shared.subscriptions[0].step(later()), Step::Send(order) if order.limit > 0) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn what_came_with_a_suspect_is_given_back_and_not_started_beside_it() {
    let shared = shared();
    let suspect = work(&shared, |_| async { Ok(Outcome::Complete) });
    let company = vec![work(&shared, |_| async { Ok(Outcome::Complete) })];
    let ids = [company[0].hold.id, suspect.hold.id];
    assert_eq!(arrive(&shared, suspect, company), 0, "slots that start");
    let (first, second) = (settled(&shared).await, settled(&shared).await);
    assert!(matches!(first.settlements[0].ending, Ending::Release));
    assert!(matches!(second.settlements[0].ending, Ending::Complete(None)));
    assert_eq!([first, second].map(|order| order.settlements[0].hold.id), ids);
    until_it_claims(&shared).await;
}

#[tokio::test(start_paused = true)]
async fn a_suspect_beside_a_long_job_is_put_off_and_the_worker_goes_on() {
    let shared = shared();
    let _long = work(&shared, |_| pending());
    let (suspect, started) =
        (work(&shared, |_| async { Ok(Outcome::Complete) }), tokio::time::Instant::now());
    arrive(&shared, suspect, Vec::new());
    let order = settled(&shared).await;
    let Ending::Snooze { delay } = order.settlements[0].ending else { panic!("{order:?}") };
    assert!(delay > 3.0 * LEASE.as_secs_f64());
    // neither for a lease, nor until the long one is over
    until_it_claims(&shared).await;
    assert!(started.elapsed() < STILL_MAX + Duration::from_secs(1), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_worker_that_closes_waits_for_no_suspect() {
    let shared = shared();
    let _long = work(&shared, |_| pending());
    arrive(&shared, work(&shared, |_| pending()), Vec::new());
    tokio::task::yield_now().await;
    shared.signals.closing.cancel();
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
    arrive(&shared, suspect, Vec::new());
    while hold.stage() != Stage::Running {
        tokio::task::yield_now().await;
    }
    shared.signals.kill.cancel();
    let order = settled(&shared).await;
    let Ending::Retry { error, .. } = &order.settlements[0].ending else { panic!("{order:?}") };
    assert!(error.get().contains("panic"));
    until_it_claims(&shared).await;
}
