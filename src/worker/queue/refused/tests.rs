use super::*;
use crate::worker::held::hold::tests::hold;

/// So many settlements that were sent together.
fn order(settlements: usize) -> Order {
    let release = |_| Settlement::release(hold(1, Instant::now(), ALONE_MAX));
    let settlements = (0..settlements).map(release).collect();
    Order { settlements, refusals: None, limit: 0, cursor: None, idle_for: Duration::ZERO }
}

#[test]
fn a_settlement_that_is_refused_alone_again_and_again_waits_longer_every_time() {
    let (mut refused, mut now) = (Refused::new(), Instant::now());
    let mut pauses = Vec::new();
    refused.take(order(1), Failure::Refused, now);
    for _ in 0..12 {
        let due = refused.next_due().unwrap();
        assert!(refused.next(now).is_none(), "not sooner");
        pauses.push(due - now);
        now = due;
        let again = refused.next(now).unwrap();
        assert!(refused.is_empty());
        refused.take(again, Failure::Refused, now);
    }
    assert!(pauses[0] >= ALONE_FIRST * 9 / 10 && pauses[..3].is_sorted(), "{pauses:?}");
    assert!(pauses[3..].iter().all(|&pause| pause >= ALONE_MAX * 9 / 10), "{pauses:?}");
    assert!(pauses[3..].iter().all(|&pause| pause <= ALONE_MAX * 11 / 10), "{pauses:?}");
}

#[test]
fn a_database_that_refuses_everything_is_asked_with_growing_pauses_until_it_accepts() {
    let (mut refused, start) = (Refused::new(), Instant::now());
    refused.take(order(256), Failure::Refused, start);
    let (mut now, mut calls) = (start, 0_u32);
    while let Some(due) = refused.next_due().filter(|&due| due < start + ALONE_FIRST / 2) {
        now = due.max(now);
        let part = refused.next(now).unwrap();
        refused.take(part, Failure::Refused, now);
        calls += 1;
    }
    assert!((9..40).contains(&calls), "{calls}");
    assert!(refused.next_due().unwrap() > now);
    refused.accepted();
    assert!(refused.next(now).is_some(), "at once");
}

#[test]
fn what_is_kept_is_counted_and_stops_claims_when_it_is_much() {
    let (mut refused, now) = (Refused::new(), Instant::now());
    refused.take(order(KEPT_MAX - 1), Failure::Refused, now);
    assert!(!refused.is_full());
    refused.take(order(1), Failure::Refused, now);
    assert!(refused.is_full());
    let later = now + 2 * ALONE_FIRST;
    let taken: usize =
        std::iter::from_fn(|| refused.next(later)).map(|part| part.settlements.len()).sum();
    assert!(taken == KEPT_MAX && refused.is_empty() && !refused.is_full());
}
