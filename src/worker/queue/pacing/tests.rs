use super::*;
use crate::worker::queue::poll_pauses::PAUSE_FIRST;

const TRIP: Duration = Duration::from_millis(1);

fn pacing(concurrency: usize) -> Pacing {
    let second = Duration::from_secs(1);
    Pacing::new(Bounds {
        concurrency,
        batch_max: 500,
        lease: 30 * second,
        pause_max: second,
        woken_pause_max: second,
    })
}

fn after_runs(concurrency: usize, took: Duration) -> Pacing {
    let mut pacing = pacing(concurrency);
    for _ in 0..50 {
        pacing.ran(took);
    }
    pacing
}

#[test]
fn without_a_measurement_a_claim_fills_the_free_slots() {
    assert_eq!(pacing(10).room(Load::default()), Some(10));
    assert_eq!(pacing(10).room(Load { running: 7, ..Load::default() }), Some(3));
    assert_eq!(pacing(10).room(Load { running: 10, ..Load::default() }), None);
    assert_eq!(pacing(1000).room(Load::default()), Some(500));
}

#[test]
fn a_buffer_is_100_ms_of_work() {
    let check = |concurrency, millis, ahead| {
        assert_eq!(after_runs(concurrency, Duration::from_millis(millis)).ahead(), ahead);
    };
    check(10, 5, 200);
    check(10, 100, 10);
    check(10, 1000, 1);
    check(1, 1000, 0);
    check(4, 60_000, 0);
    check(10, 0, 1000); // two claims of the largest size
}

#[test]
fn large_payloads_shorten_the_buffer() {
    let mut pacing = after_runs(100, Duration::from_micros(10));
    pacing.claimed(50, &[1 << 20; 50], TRIP, Instant::now());
    assert_eq!(pacing.ahead(), 32);
}

#[test]
fn it_claims_again_when_half_of_the_buffer_is_used() {
    let pacing = after_runs(10, Duration::from_millis(5)); // 200 ahead
    let room = |buffered| pacing.room(Load { running: 10, buffered, ..Load::default() });
    assert_eq!(room(101), None);
    assert_eq!(room(100), Some(16));
    assert_eq!(
        pacing.room(Load { running: 10, asked: 16, claims_open: 1, ..Load::default() }),
        None
    );
}

#[test]
fn full_claims_grow_and_others_shrink() {
    let mut pacing = after_runs(10, Duration::from_micros(2));
    let mut limits = Vec::new();
    for _ in 0..7 {
        let limit = pacing.room(Load::default()).unwrap();
        pacing.claimed(limit, &vec![10; limit], TRIP, Instant::now());
        limits.push(limit);
    }
    assert_eq!(limits, [16, 32, 64, 128, 256, 500, 500]);
    pacing.claimed(500, &[10; 40], TRIP, Instant::now());
    assert_eq!(pacing.room(Load::default()), Some(80));
    pacing.claimed(80, &[], TRIP, Instant::now());
    assert_eq!(pacing.room(Load::default()), Some(16));
}

#[test]
fn under_load_two_claims_are_on_their_way() {
    let mut pacing = after_runs(10, Duration::from_micros(2));
    let one_open = Load { asked: 16, claims_open: 1, ..Load::default() };
    assert_eq!(pacing.room(one_open), None);
    pacing.claimed(16, &[10; 16], TRIP, Instant::now());
    assert_eq!(pacing.room(one_open), Some(32));
    assert_eq!(pacing.room(Load { claims_open: 2, asked: 48, ..Load::default() }), None);
}

#[test]
fn pauses_of_an_idle_queue_grow_to_the_longest_and_a_wake_ends_them() {
    let (mut pacing, now) = (pacing(10), Instant::now());
    let mut longest = Duration::ZERO;
    for _ in 0..12 {
        pacing.claimed(10, &[], TRIP, now);
        let pause = pacing.not_before().unwrap() - now;
        assert!(pause <= Duration::from_secs(1));
        longest = longest.max(pause);
    }
    assert!(longest >= Duration::from_millis(750));
    assert!(!pacing.may_claim(now));
    pacing.woken(now);
    assert!(pacing.may_claim(now));
    pacing.sent();
    pacing.claimed(10, &[], TRIP, now);
    assert!(pacing.not_before().unwrap() - now <= PAUSE_FIRST);
}

#[test]
fn an_idle_worker_does_not_claim_at_every_notification_that_is_not_for_it() {
    let (mut pacing, start) = (pacing(10), Instant::now());
    let mut claims = 0;
    // a notification every millisecond for ten seconds
    for millis in 0..10_000 {
        let now = start + Duration::from_millis(millis);
        pacing.woken(now);
        if pacing.may_claim(now) {
            pacing.sent();
            pacing.claimed(10, &[], TRIP, now);
            claims += 1;
        }
    }
    assert!((45..90).contains(&claims), "{claims} claims");
    // seldom ones are followed at once, whatever polls have done since
    let later = start + Duration::from_secs(11);
    pacing.claimed(10, &[], TRIP, later);
    pacing.woken(later);
    assert!(pacing.may_claim(later));
}

#[test]
fn a_crowd_of_notifications_that_are_not_for_it_is_no_reason_to_poll_densely() {
    let (mut pacing, start) = (pacing(10), Instant::now());
    pacing.listen(true);
    let (mut now, mut looks) = (start, 0);
    while now < start + Duration::from_secs(10) {
        pacing.sent();
        pacing.claimed(10, &[], TRIP, now);
        looks += 1;
        // a notification comes every 4 ms, the densest that the database sends
        while !pacing.may_claim(now) {
            now += Duration::from_millis(4);
            pacing.woken(now);
            pacing.crowded(now);
        }
    }
    assert!(looks < 100, "{looks} looks in ten seconds");
    pacing.claimed(10, &[1], TRIP, now);
    assert!(pacing.may_claim(now + 2 * PAUSE_FIRST), "one that finds something looks on");
}

#[test]
fn a_worker_whose_last_claim_found_something_reacts_at_once() {
    let (mut pacing, now) = (pacing(10), Instant::now());
    for _ in 0..10 {
        pacing.woken(now);
        pacing.sent();
        pacing.claimed(10, &[], TRIP, now);
    }
    pacing.woken(now);
    assert!(!pacing.may_claim(now));
    pacing.sent();
    pacing.claimed(10, &[5], TRIP, now);
    assert!(!pacing.may_claim(now));
    pacing.woken(now);
    assert!(pacing.may_claim(now));
}

#[test]
fn a_wake_while_a_claim_is_on_its_way_is_followed_when_it_is_back() {
    let (mut pacing, now) = (pacing(10), Instant::now());
    pacing.sent();
    pacing.woken(now);
    pacing.claimed(10, &[], TRIP, now);
    assert!(pacing.may_claim(now));
}

#[test]
fn claims_grow_on_short_trips_only_and_shrink_after_long_ones() {
    let mut pacing = after_runs(10, Duration::from_micros(2));
    let mut next = |millis| {
        let limit = pacing.room(Load::default()).unwrap();
        pacing.claimed(limit, &vec![10; limit], Duration::from_millis(millis), Instant::now());
        pacing.room(Load::default()).unwrap()
    };
    assert_eq!([next(1), next(30), next(30), next(60)], [32, 64, 128, 128]);
    assert_eq!([next(100), next(100), next(100), next(100)], [64, 32, 16, 16]);
    assert_eq!(next(5), 32);
}

#[test]
fn a_distant_database_is_no_reason_to_claim_less() {
    let mut pacing = after_runs(10, Duration::from_micros(2));
    for _ in 0..6 {
        let limit = pacing.room(Load::default()).unwrap();
        pacing.claimed(limit, &vec![10; limit], Duration::from_millis(150), Instant::now());
    }
    assert_eq!(pacing.room(Load::default()), Some(500));
}

#[test]
fn idle_slots_are_filled_however_long_trips_take() {
    let mut pacing = after_runs(200, Duration::from_secs(1));
    pacing.claimed(16, &[10; 16], TRIP, Instant::now());
    pacing.claimed(16, &[10; 16], Duration::from_secs(1), Instant::now());
    assert_eq!(pacing.room(Load::default()), Some(200));
}

#[test]
fn a_claim_that_got_no_answer_in_time_asks_for_half_until_one_is_answered() {
    let mut pacing = pacing(400);
    let mut limits = Vec::new();
    for _ in 0..4 {
        let limit = pacing.room(Load::default()).unwrap();
        limits.push(limit);
        pacing.unanswered(limit);
    }
    assert_eq!(limits, [400, 200, 100, 50]);
    pacing.unanswered(1);
    assert_eq!(pacing.room(Load::default()), Some(1));
    pacing.claimed(1, &[5], TRIP, Instant::now());
    assert_eq!(pacing.room(Load::default()), Some(2));
}

#[test]
fn a_claim_asks_for_no_more_than_fits_the_buffer_by_bytes() {
    let mut pacing = pacing(500);
    pacing.claimed(50, &[1 << 20; 50], TRIP, Instant::now());
    assert_eq!(pacing.room(Load::default()), Some(32));
    let mut huge = self::pacing(500);
    huge.claimed(1, &[1 << 30], TRIP, Instant::now());
    assert_eq!(huge.room(Load::default()), Some(1));
}

#[test]
fn a_claim_that_brought_less_than_it_asked_for_is_followed_by_a_short_pause() {
    let (mut pacing, now) = (pacing(10), Instant::now());
    for _ in 0..5 {
        pacing.claimed(10, &[], TRIP, now);
    }
    pacing.claimed(10, &[5, 5], TRIP, now);
    assert!(!pacing.may_claim(now) && pacing.may_claim_within(now, PAUSE_FIRST));
    pacing.claimed(10, &[5; 10], TRIP, now);
    assert!(pacing.may_claim(now));
}

#[test]
fn a_stall_forgets_what_was_measured() {
    let mut pacing = after_runs(10, Duration::from_micros(1));
    assert_eq!(pacing.ahead(), 1000);
    pacing.stalled();
    assert_eq!(pacing.ahead(), 1);
}
