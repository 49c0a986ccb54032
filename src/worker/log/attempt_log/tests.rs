use std::time::SystemTime;

use uuid::Uuid;

use super::*;
use crate::{protocol::outcome::JobError, worker::held::hold::HoldRow};

/// The n-th attempt of a job, of which so many may still fail.
fn hold(attempt: i32, attempts_left: i32) -> Arc<Hold> {
    let row = HoldRow {
        id: Uuid::nil(),
        tenant: Uuid::nil(),
        queue: "default".into(),
        job_type: "greet".into(),
        attempt,
        max_attempts: 25,
        attempts_left,
        lost: 0,
        lease_token: Uuid::nil(),
        created_at: SystemTime::UNIX_EPOCH,
        metadata: None,
    };
    Arc::new(Hold::new(row, Instant::now(), Duration::from_secs(30)))
}

fn failure_of(hold: &Hold, error: &JobError, status: &str) -> Failure {
    match Ending::of(error) {
        Ending::Retry { error, delay } => {
            Failure::read(hold, &error, &NextTry::after_retry(hold, delay, status), true)
        }
        Ending::Fail { error } => Failure::read(hold, &error, &NextTry::FORBIDDEN, true),
        other => panic!("no failure: {other:?}"),
    }
}

#[test]
fn a_failure_says_which_attempt_it_was_why_and_what_happens_next() {
    let boom = JobError::retry("boom\nand more").code("exit_3");
    let failure = failure_of(&hold(1, 25), &boom, "scheduled");
    assert_eq!(failure.sentence, "attempt 1 of 25 failed: boom and more; next try in about 15 s");
    assert_eq!(failure.code.as_deref(), Some("exit_3"));
    assert_eq!(failure.next_try, Some(Duration::from_secs(15)));
    let sentence = |attempt, left, error: &JobError, status| {
        let failure = failure_of(&hold(attempt, left), error, status);
        failure.sentence.split_once("; ").unwrap().1.to_owned()
    };
    assert_eq!(sentence(2, 24, &boom, "scheduled"), "next try in about 30 s");
    assert_eq!(sentence(20, 6, &boom, "scheduled"), "next try in about 60 min");
    assert_eq!(sentence(25, 1, &boom, "failed"), "no attempt is left");
    assert_eq!(sentence(1, 25, &boom, "cancelled"), "the job is cancelled, as was asked");
    let later = JobError::retry_after("busy", Duration::from_secs(3));
    assert_eq!(sentence(1, 25, &later, "scheduled"), "next try in 3 s");
    assert_eq!(sentence(1, 25, &JobError::fail("no"), "failed"), "it is not tried again");
}

#[test]
fn attempts_that_used_none_up_are_not_counted_among_those_that_may_fail() {
    let failure = failure_of(&hold(40, 25), &JobError::retry("boom"), "scheduled");
    assert!(failure.sentence.starts_with("attempt 40 (failure 1 of 25) failed"), "{failure:?}");
}

#[test]
fn the_end_of_the_causes_is_told_and_no_more() {
    let many = (0..1000).map(|n| format!("line {n}\n")).collect::<Vec<_>>().concat();
    assert_eq!(end_of(&many).lines().count(), CAUSE_LINES_MAX);
    assert!(end_of(&many).ends_with("line 999"));
    assert!(end_of(&"é".repeat(5000)).len() <= CAUSE_BYTES_MAX);
    assert_eq!(end_of("short\n"), "short");
}

#[test]
fn of_ten_thousand_failures_a_second_a_few_are_told_and_the_rest_is_counted() {
    let (mut quota, start) = (Quota::default(), Instant::now());
    let types: Vec<Arc<str>> = (0..100).map(|n| format!("type_{n}").into()).collect();
    let (mut lines, mut counted) = (0_u64, 0_u64);
    for n in 0..30_000_u32 {
        let now = start + n * Duration::from_micros(100);
        let (admitted, past) = quota.admit(&types[n as usize % types.len()], now);
        lines += u64::from(admitted);
        counted += past.map_or(0, |past| past.0.values().sum());
    }
    counted += quota.take_past().map_or(0, |past| past.0.values().sum());
    assert_eq!(lines, 3 * u64::from(OF_ALL));
    assert_eq!(lines + counted, 30_000, "every failure has a line or is counted");

    let mut quota = Quota::default();
    let one = (0..1000).filter(|_| quota.admit(&types[0], start).0).count();
    assert_eq!(one, OF_ONE_TYPE as usize, "one type leaves room for the others");
    assert!(quota.admit(&types[1], start).0);
}

#[test]
fn the_rest_is_counted_by_type() {
    let left_out = LeftOut(BTreeMap::from([("bill".into(), 2), ("send".into(), 995)]));
    let sentence = left_out.sentence();
    assert!(
        sentence.starts_with(
            "997 more attempts failed within about a second, 995 of type send and 2 of type bill;"
        ),
        "{sentence}"
    );
}
