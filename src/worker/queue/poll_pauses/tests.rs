use super::*;

const TRIP: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_secs(90);

fn listening() -> PollPauses {
    let mut pauses = PollPauses::new(Duration::from_secs(1), LONGEST);
    pauses.listen(true);
    pauses
}

/// Looks again and again from this moment on and finds nothing. Returns the pauses up to the
/// longest one.
fn until_longest(pauses: &mut PollPauses, mut now: Instant) -> Vec<Duration> {
    let mut seen = Vec::new();
    while seen.last().is_none_or(|&last| last < LONGEST) && seen.len() < 100 {
        let pause = pauses.found_nothing(TRIP, now);
        seen.push(pause);
        now += pause;
    }
    seen
}

#[test]
fn a_worker_that_nothing_wakes_polls_with_pauses_that_double() {
    let (mut pauses, now) = (PollPauses::new(Duration::from_secs(1), LONGEST), Instant::now());
    assert_eq!(pauses.idle_for(), Duration::ZERO, "no dispatch need notify it");
    let millis: Vec<u128> = (0..12).map(|_| pauses.found_nothing(TRIP, now).as_millis()).collect();
    assert_eq!(millis, [2, 4, 8, 16, 32, 64, 128, 256, 512, 1000, 1000, 1000]);
    assert_eq!(pauses.found_some(1, TRIP, now), PAUSE_FIRST);
}

#[test]
fn a_transaction_delays_its_jobs_by_no_more_than_it_lasted() {
    let (mut pauses, start) = (listening(), Instant::now());
    let mut known = Duration::ZERO;
    for pause in until_longest(&mut pauses, start) {
        assert!(pause <= known.max(PAUSE_FIRST), "{pause:?} after {known:?}");
        known += pause;
    }
    assert!(until_longest(&mut listening(), start).len() < 20, "and that costs few looks");
}

#[test]
fn once_it_is_known_to_wait_a_job_now_and_then_costs_no_polls() {
    let (mut pauses, start) = (listening(), Instant::now());
    until_longest(&mut pauses, start);
    pauses.found_nothing(TRIP, start + 2 * LONGEST);
    let later = start + 3 * LONGEST;
    pauses.found_some(1, TRIP, later);
    assert_eq!(pauses.found_nothing(TRIP, later + TRIP), LONGEST);
}

#[test]
fn what_was_known_ends_with_its_time_and_with_the_connection() {
    let (mut pauses, start) = (listening(), Instant::now());
    until_longest(&mut pauses, start);
    let later = start + 10 * LONGEST; // it was busy for so long
    assert_eq!(pauses.found_nothing(TRIP, later), PAUSE_FIRST);
    until_longest(&mut pauses, later);
    pauses.listen(false);
    pauses.listen(true);
    assert_eq!(pauses.found_nothing(TRIP, later + 3 * LONGEST), PAUSE_FIRST);
}

#[test]
fn after_a_crowd_of_wakes_it_looks_for_those_that_were_left_out() {
    let (mut pauses, start) = (listening(), Instant::now());
    pauses.found_nothing(TRIP, start);
    let later = start + LONGEST / 2;
    pauses.crowded(later);
    assert_eq!(pauses.found_nothing(TRIP, later), PAUSE_FIRST);
    assert_eq!(pauses.found_nothing(TRIP, later + LONGEST / 4), LONGEST / 4);
}

#[test]
fn dense_arrivals_are_looked_for_at_their_own_pace_and_no_longer_than_they_last() {
    let (mut pauses, start) = (listening(), Instant::now());
    let mut now = start;
    for _ in 0..20 {
        now += Duration::from_millis(3);
        assert!(pauses.found_some(2, TRIP, now) <= PAUSE_FIRST);
    }
    assert!(pauses.found_nothing(TRIP, now) <= PAUSE_FIRST);
    let later = now + Duration::from_secs(20);
    assert!(pauses.found_nothing(TRIP, later) >= Duration::from_secs(10), "it is over");
}
