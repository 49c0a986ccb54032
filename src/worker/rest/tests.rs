use super::*;

const TRIP: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_secs(90);

fn listening() -> Rest {
    let mut rest = Rest::new(Duration::from_secs(1), LONGEST);
    rest.listen(true);
    rest
}

/// Looks again and again from this moment on and finds nothing; returns the pauses until the longest one.
fn pauses(rest: &mut Rest, mut now: Instant) -> Vec<Duration> {
    let mut pauses = Vec::new();
    while pauses.last().is_none_or(|&last| last < LONGEST) && pauses.len() < 100 {
        let pause = rest.nothing(TRIP, now);
        pauses.push(pause);
        now += pause;
    }
    pauses
}

#[test]
fn a_worker_that_nothing_wakes_polls_with_pauses_that_double() {
    let (mut rest, now) = (Rest::new(Duration::from_secs(1), LONGEST), Instant::now());
    assert_eq!(rest.idle_for(), Duration::ZERO, "no dispatch need notify it");
    let millis: Vec<u128> = (0..12).map(|_| rest.nothing(TRIP, now).as_millis()).collect();
    assert_eq!(millis, [2, 4, 8, 16, 32, 64, 128, 256, 512, 1000, 1000, 1000]);
    assert_eq!(rest.some(1, TRIP, now), PAUSE_FIRST);
}

#[test]
fn a_transaction_delays_its_jobs_by_no_more_than_it_lasted() {
    let (mut rest, start) = (listening(), Instant::now());
    let mut known = Duration::ZERO;
    for pause in pauses(&mut rest, start) {
        assert!(pause <= known.max(PAUSE_FIRST), "{pause:?} after {known:?}");
        known += pause;
    }
    assert!(pauses(&mut listening(), start).len() < 20, "and that costs few looks");
}

#[test]
fn once_it_is_known_to_wait_a_job_now_and_then_costs_no_polls() {
    let (mut rest, start) = (listening(), Instant::now());
    pauses(&mut rest, start);
    rest.nothing(TRIP, start + 2 * LONGEST);
    let later = start + 3 * LONGEST;
    rest.some(1, TRIP, later);
    assert_eq!(rest.nothing(TRIP, later + TRIP), LONGEST);
}

#[test]
fn what_was_known_ends_with_its_time_and_with_the_connection() {
    let (mut rest, start) = (listening(), Instant::now());
    pauses(&mut rest, start);
    let later = start + 10 * LONGEST; // it was busy for so long
    assert_eq!(rest.nothing(TRIP, later), PAUSE_FIRST);
    pauses(&mut rest, later);
    rest.listen(false);
    rest.listen(true);
    assert_eq!(rest.nothing(TRIP, later + 3 * LONGEST), PAUSE_FIRST);
}

#[test]
fn after_a_crowd_of_wakes_it_looks_for_those_that_were_left_out() {
    let (mut rest, start) = (listening(), Instant::now());
    rest.nothing(TRIP, start);
    let later = start + LONGEST / 2;
    rest.crowded(later);
    assert_eq!(rest.nothing(TRIP, later), PAUSE_FIRST);
    assert_eq!(rest.nothing(TRIP, later + LONGEST / 4), LONGEST / 4);
}

#[test]
fn dense_arrivals_are_looked_for_at_their_own_pace_and_no_longer_than_they_last() {
    let (mut rest, start) = (listening(), Instant::now());
    let mut now = start;
    for _ in 0..20 {
        now += Duration::from_millis(3);
        assert!(rest.some(2, TRIP, now) <= PAUSE_FIRST);
    }
    assert!(rest.nothing(TRIP, now) <= PAUSE_FIRST);
    let later = now + Duration::from_secs(20);
    assert!(rest.nothing(TRIP, later) >= Duration::from_secs(10), "it is over");
}
