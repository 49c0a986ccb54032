use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::value::RawValue;

use super::Subscription;
use crate::worker::{
    claimed_job::ClaimedJob,
    held::{
        hold::{Hold, Stage, tests::hold},
        settlement::{Ending, Settlement},
    },
    queue::{
        order::{Ended, Failure, Order, Step},
        pacing::Bounds,
        queue_state::SETTLE_AFTER,
    },
};

const LEASE: Duration = Duration::from_secs(30);
const TRIP: Duration = Duration::from_millis(1);

fn subscription(concurrency: usize) -> Subscription {
    let bounds = Bounds {
        concurrency,
        batch_max: 8,
        lease: LEASE,
        pause_max: Duration::from_secs(1),
        woken_pause_max: Duration::from_secs(1),
    };
    Subscription::new("mail".into(), bounds)
}

fn jobs(count: usize, claimed_at: Instant) -> Vec<ClaimedJob> {
    let payload = || RawValue::from_string("{}".into()).unwrap();
    let job = |_| ClaimedJob {
        hold: hold(1, claimed_at, LEASE),
        payload: payload(),
        timeout: None,
        entry: None,
    };
    (0..count).map(job).collect()
}

fn complete(hold: &Arc<Hold>, took: Duration) -> Ended {
    let settlement = Settlement::new(Arc::clone(hold), Ending::Complete(None));
    Ended { settlement: Some(settlement), took }
}

#[track_caller]
fn sent(step: Step) -> Order {
    if let Step::Send(order) = step { order } else { panic!("expected an order, not {step:?}") }
}

/// Claims and starts this many jobs.
fn run(subscription: &Subscription, count: usize, now: Instant) -> Vec<Arc<Hold>> {
    let order = sent(subscription.step(now));
    let slots = subscription.answered(&order, jobs(count, now), Some("cursor".into()), TRIP, now);
    (0..slots).map(|_| subscription.next(None, now).unwrap().hold).collect()
}

#[test]
fn the_first_claim_fills_the_slots_and_nothing_more() {
    let (subscription, now) = (subscription(3), Instant::now());
    let order = sent(subscription.step(now));
    assert_eq!((order.limit, order.cursor.as_deref(), order.settlements.len()), (3, None, 0));
    assert!(matches!(subscription.step(now), Step::Wait(None)), "one claim at a time");
    assert_eq!(subscription.answered(&order, jobs(3, now), Some("cursor".into()), TRIP, now), 3);
}

#[test]
fn a_settlement_and_the_next_claim_travel_together_with_the_cursor() {
    let (subscription, now) = (subscription(1), Instant::now());
    let running = run(&subscription, 1, now);
    assert_eq!(running[0].stage(), Stage::Running);
    assert!(subscription.next(Some(complete(&running[0], Duration::from_secs(1))), now).is_none());
    let order = sent(subscription.step(now));
    assert_eq!(
        (order.limit, order.settlements.len(), order.cursor.as_deref()),
        (1, 1, Some("cursor"))
    );
}

#[test]
fn a_settlement_waits_a_moment_for_others_while_work_goes_on() {
    let (subscription, now) = (subscription(1), Instant::now());
    let running = run(&subscription, 3, now);
    assert!(subscription.next(Some(complete(&running[0], Duration::from_secs(1))), now).is_some());
    let Step::Wait(Some(until)) = subscription.step(now) else { panic!("expected a short wait") };
    assert!(until <= now + SETTLE_AFTER);
    assert_eq!(sent(subscription.step(until)).settlements.len(), 1);
}

#[test]
fn a_claim_that_is_about_to_be_sent_takes_the_last_settlement_along() {
    let (subscription, now) = (subscription(2), Instant::now());
    let running = run(&subscription, 1, now);
    assert!(subscription.next(Some(complete(&running[0], Duration::from_secs(1))), now).is_none());
    let Step::Wait(Some(until)) = subscription.step(now) else { panic!("expected a short wait") };
    let order = sent(subscription.step(until));
    assert_eq!((order.settlements.len(), order.limit), (1, 2));
}

#[test]
fn what_was_not_answered_is_sent_again() {
    let (subscription, now) = (subscription(1), Instant::now());
    let running = run(&subscription, 1, now);
    assert!(subscription.next(Some(complete(&running[0], Duration::from_secs(1))), now).is_none());
    let order = sent(subscription.step(now));
    subscription.failed(order, Failure::Call, now);
    let again = sent(subscription.step(now));
    assert_eq!(
        (again.settlements[0].hold.id, again.cursor.as_deref()),
        (running[0].id, Some("cursor"))
    );
}

#[test]
fn a_batch_that_is_not_answered_is_halved_until_one_is_alone() {
    let (subscription, now) = (subscription(8), Instant::now());
    let running = run(&subscription, 8, now);
    for held in &running {
        assert!(subscription.next(Some(complete(held, Duration::from_secs(1))), now).is_none());
    }
    let mut sizes = Vec::new();
    for _ in 0..4 {
        let order = sent(subscription.step(now));
        sizes.push((order.settlements.len(), order.limit));
        assert_eq!(order.settlements[0].hold.id, running[0].id);
        subscription.failed(order, Failure::Unanswered, now);
    }
    assert_eq!(sizes, [(8, 8), (4, 0), (2, 0), (1, 0)]);
}

#[test]
fn a_pause_gives_back_what_has_not_started_and_what_still_arrives() {
    let (subscription, now) = (subscription(1), Instant::now());
    let running = run(&subscription, 3, now);
    subscription.pause();
    let order = sent(subscription.step(now));
    assert_eq!((order.settlements.len(), order.limit), (2, 0));
    assert!(
        order.settlements.iter().all(|settlement| matches!(settlement.ending, Ending::Release))
    );
    subscription.answered(&order, Vec::new(), None, TRIP, now);
    assert!(subscription.next(Some(complete(&running[0], Duration::ZERO)), now).is_none());
    assert!(!subscription.is_still());
    let order = sent(subscription.step(now));
    subscription.answered(&order, Vec::new(), None, TRIP, now);
    assert!(subscription.is_still());
    assert!(matches!(subscription.step(now), Step::Wait(None)));
    subscription.resume();
    assert!(sent(subscription.step(now)).limit > 0);
}

#[test]
fn a_job_whose_lease_is_over_is_not_started() {
    let (subscription, now) = (subscription(1), Instant::now());
    let order = sent(subscription.step(now));
    subscription.answered(&order, jobs(1, now), None, TRIP, now);
    assert!(subscription.next(None, now + LEASE).is_none());
    let order = sent(subscription.step(now + LEASE));
    assert!(matches!(order.settlements[0].ending, Ending::Release));
}

#[test]
fn a_lost_job_is_neither_started_nor_settled() {
    let (subscription, now) = (subscription(2), Instant::now());
    let order = sent(subscription.step(now));
    let jobs = jobs(2, now);
    jobs[0].hold.advance(Stage::Lost);
    let second = jobs[1].hold.id;
    subscription.answered(&order, jobs, None, TRIP, now);
    let started = subscription.next(None, now).unwrap();
    assert_eq!(started.hold.id, second);
    started.hold.advance(Stage::Lost);
    assert!(subscription.next(Some(complete(&started.hold, Duration::ZERO)), now).is_none());
    subscription.leave(None);
    assert!(subscription.is_still());
}

#[test]
fn jobs_behind_slow_handlers_are_given_back() {
    let (subscription, now) = (subscription(1), Instant::now());
    let first = run(&subscription, 1, now);
    // measured as fast, so more is claimed ahead
    assert!(subscription.next(Some(complete(&first[0], Duration::from_micros(1))), now).is_none());
    let order = sent(subscription.step(now));
    assert_eq!(subscription.answered(&order, jobs(order.limit, now), None, TRIP, now), 1);
    assert!(subscription.next(None, now).is_some());
    let later = now + Duration::from_secs(2);
    assert!(
        matches!(subscription.step(later), Step::Wait(_)),
        "what is given back waits for company"
    );
    let order = sent(subscription.step(later + SETTLE_AFTER));
    assert!(!order.settlements.is_empty());
    assert!(
        order.settlements.iter().all(|settlement| matches!(settlement.ending, Ending::Release))
    );
}

#[test]
fn a_closed_queue_is_done_when_everything_is_settled() {
    let (subscription, now) = (subscription(1), Instant::now());
    let running = run(&subscription, 2, now);
    subscription.close();
    assert!(matches!(subscription.step(now), Step::Wait(_)));
    let next = subscription.next(Some(complete(&running[0], Duration::ZERO)), now).unwrap();
    let order = sent(subscription.step(now));
    assert_eq!((order.settlements.len(), order.limit), (1, 0));
    subscription.answered(&order, Vec::new(), None, TRIP, now);
    assert!(subscription.next(Some(complete(&next.hold, Duration::ZERO)), now).is_none());
    let order = sent(subscription.step(now));
    subscription.answered(&order, Vec::new(), None, TRIP, now);
    assert!(matches!(subscription.step(now), Step::Done));
}

#[test]
fn a_claim_that_took_long_to_arrive_is_not_given_back_for_that() {
    let (subscription, sent) = (subscription(1), Instant::now());
    let order = self::sent(subscription.step(sent));
    let arrived = sent + Duration::from_secs(5);
    let jobs = jobs(2, sent);
    let second = jobs[1].hold.id;
    let took = Duration::from_secs(5);
    assert_eq!(subscription.answered(&order, jobs, None, took, arrived), 1);
    let first = subscription.next(None, arrived).unwrap();
    assert!(matches!(subscription.step(arrived), Step::Wait(_)), "nothing is given back");
    let ended = complete(&first.hold, Duration::from_millis(1));
    assert_eq!(subscription.next(Some(ended), arrived).unwrap().hold.id, second);
}

#[test]
fn a_trip_that_got_no_answer_in_time_is_tried_again_with_half() {
    let (subscription, now) = (subscription(8), Instant::now());
    let running = run(&subscription, 8, now);
    for held in &running {
        assert!(subscription.next(Some(complete(held, Duration::from_secs(1))), now).is_none());
    }
    let order = sent(subscription.step(now));
    assert_eq!((order.settlements.len(), order.limit), (8, 8));
    subscription.failed(order, Failure::Unanswered, now);
    let order = sent(subscription.step(now));
    assert_eq!((order.settlements.len(), order.limit), (4, 0));
    subscription.answered(&order, Vec::new(), None, TRIP, now);
    let order = sent(subscription.step(now));
    assert_eq!((order.settlements.len(), order.limit), (4, 4));
}

#[test]
fn a_trip_carries_no_more_than_8_mib_of_results() {
    let (subscription, now) = (subscription(8), Instant::now());
    let running = run(&subscription, 8, now);
    for held in &running {
        let result = RawValue::from_string(format!("\"{}\"", "x".repeat(3 << 20))).unwrap();
        let settlement = Settlement::new(Arc::clone(held), Ending::Complete(Some(result)));
        let ended = Ended { settlement: Some(settlement), took: Duration::from_secs(1) };
        assert!(subscription.next(Some(ended), now).is_none());
    }
    assert_eq!(sent(subscription.step(now)).settlements.len(), 2);
}

#[test]
fn settlements_of_a_trip_follow_the_size_of_its_claim_and_a_backlog_still_shrinks() {
    let bounds = Bounds {
        concurrency: 1,
        batch_max: 500,
        lease: LEASE,
        pause_max: Duration::from_secs(1),
        woken_pause_max: Duration::from_secs(1),
    };
    let (subscription, now) = (Subscription::new("mail".into(), bounds), Instant::now());
    run(&subscription, 1, now);
    for held in jobs(100, now) {
        subscription.enter();
        subscription.leave(Some(Settlement::release(held.hold)));
    }
    let mut sizes = Vec::new();
    for turn in 1..4 {
        let order = sent(subscription.step(now + Duration::from_secs(turn)));
        sizes.push(order.settlements.len());
    }
    assert_eq!(sizes, [50, 32, 18]);
}

/// Ends this many jobs at once; they wait in the outbox.
fn ended(subscription: &Subscription, count: usize, now: Instant) -> Vec<Arc<Hold>> {
    let running = run(subscription, count, now);
    for held in &running {
        assert!(subscription.next(Some(complete(held, Duration::from_secs(1))), now).is_none());
    }
    running
}

/// Lets the database answer all that is due within a second, and refuse what holds this job. Returns
/// how many settlements each call held, and the moment after it.
fn refuse_one(
    subscription: &Subscription,
    bad: &Hold,
    mut now: Instant,
) -> (Vec<(usize, bool)>, Instant) {
    let (mut calls, end) = (Vec::new(), now + Duration::from_millis(800));
    while now < end {
        now += Duration::from_millis(1);
        let Step::Send(order) = subscription.step(now) else { continue };
        let refused = order.settlements.iter().any(|settlement| settlement.hold.id == bad.id);
        if !order.settlements.is_empty() {
            calls.push((order.settlements.len(), refused));
        }
        if refused {
            subscription.failed(order, Failure::Refused, now);
        } else {
            subscription.answered(&order, Vec::new(), None, TRIP, now);
        }
    }
    (calls, now)
}

#[test]
fn one_refused_settlement_is_found_by_halving_and_all_others_are_accepted() {
    for bad in 0..8 {
        let (subscription, now) = (subscription(8), Instant::now());
        let running = ended(&subscription, 8, now);
        let (mut calls, now) = refuse_one(&subscription, &running[bad], now);
        calls.sort_unstable();
        let found =
            [(1, false), (1, true), (2, false), (2, true), (4, false), (4, true), (8, true)];
        assert_eq!(calls, found, "{bad}");
        assert!(!subscription.is_still(), "it is kept");
        let order = sent(subscription.step(now + Duration::from_secs(1)));
        let again = (order.settlements[0].hold.id, order.settlements.len(), order.limit);
        assert_eq!(again, (running[bad].id, 1, 0), "and repeated alone");
        assert!(!order.settlements[0].sent, "no call with it can have happened");
        subscription.answered(&order, Vec::new(), None, TRIP, now);
        assert!(subscription.is_still());
    }
}

#[test]
fn what_ends_after_a_refusal_travels_at_once_and_claims_go_on() {
    let (subscription, now) = (subscription(8), Instant::now());
    ended(&subscription, 8, now);
    let order = sent(subscription.step(now));
    subscription.failed(order, Failure::Refused, now);
    let fresh = ended(&subscription, 2, now);
    let later = now + SETTLE_AFTER;
    let apart = sent(subscription.step(later));
    assert_eq!((apart.settlements.len(), apart.limit, apart.refusals), (4, 0, Some(0)));
    subscription.failed(apart, Failure::Refused, later);
    let order = sent(subscription.step(later));
    assert_eq!((order.settlements.len(), order.limit, order.refusals), (2, 8, None));
    assert_eq!(order.settlements[0].hold.id, fresh[0].id, "nothing is narrowed");
}

#[test]
fn a_refused_part_without_an_answer_stays_apart_and_a_closed_queue_waits_for_it() {
    let (subscription, now) = (subscription(1), Instant::now());
    let refused = ended(&subscription, 1, now);
    let order = sent(subscription.step(now));
    subscription.failed(order, Failure::Refused, now);
    let later = now + Duration::from_secs(2);
    let order = sent(subscription.step(later));
    assert_eq!(order.refusals, Some(1));
    subscription.failed(order, Failure::Call, later);
    let order = sent(subscription.step(later));
    assert_eq!((order.settlements[0].hold.id, order.refusals), (refused[0].id, Some(1)));
    subscription.failed(order, Failure::Refused, later);
    subscription.close();
    let Step::Wait(Some(due)) = subscription.step(later) else { panic!("it ends") };
    let order = sent(subscription.step(due));
    assert_eq!((order.settlements[0].hold.id, order.refusals), (refused[0].id, Some(2)));
    subscription.answered(&order, Vec::new(), None, TRIP, later);
    assert!(matches!(subscription.step(later), Step::Done));
}
