//! The mark of shared lanes against a producer that stays open: ticks wait for it a while, then pass it and give its jobs a place
//! again when it has ended.

use super::stage::{Stage, dispatch_of, part};
use crate::{
    calls::{claim_jobs, tenant},
    notify::stop_clock,
};

const TICK: &str = "select busy from fairclaim.tick()";
/// With its snapshot taken at once.
const REPEATABLE: &str = "begin isolation level repeatable read; select 1";
/// Moves the clock, which stands, by a second.
const SECOND: &str = "update fairclaim_internal.test_clock set shift = shift + interval '1 s'";
/// Ticks of one order, a second apart: the mark passes a producer whose lock was first seen more than three seconds ago.
const TICKS: usize = 8;
const WAITED_FOR: usize = 4;
/// Enough for a floor to move: shared ones move when 500 numbers are behind them.
const OTHERS: usize = 600;

/// Jobs that wait where no claim looks.
const BEHIND: &str = "select count(*) from fairclaim_internal.ready y join fairclaim_internal.lane l using (lane_id) where y.seq < l.floor";

/// A dispatch into a lane that is in use, then others of the lane that are served, then ticks, and the commit after some of them.
/// Gives how many jobs stood behind their floor right after it, and how many were claimed.
async fn a_commit_after(stage: &Stage, begin: &str, ticks: usize) -> (usize, usize) {
    stage.clear().await;
    stage.ticks(1).await;
    let job = dispatch_of(tenant(1), "mail", 0);
    let others = format!(
        "select count(*) from fairclaim.dispatch_jobs((select jsonb_agg(jsonb_build_object(
           'tenant_id', fairclaim.tenant_uuid(g::text), 'type', 'mail')) from generate_series(1, {OTHERS}) g))"
    );
    stage.producers[1].batch_execute(&dispatch_of(tenant(2), "mail", 0)).await.expect("a lane");
    let serve = "select count(*) from fairclaim.claim_jobs('w', null, 1000, p_lease => 3600)";
    let parts = [
        part(&stage.producers[0], &[begin, &job, "commit"]),
        part(&stage.producers[1], &[&others]),
        part(&stage.workers[0], &[&[serve], &[TICK; TICKS][..], &[serve]].concat()),
        part(
            &stage.admin,
            &[&vec![SECOND; ticks], &[BEHIND][..], &vec![SECOND; TICKS - ticks]].concat(),
        ),
    ];
    let (before, after) = ([3, 2].repeat(ticks), [3, 2].repeat(TICKS - ticks));
    let order = [&[0, 0, 1, 2][..], &before, &[0, 3], &after, &[2]].concat();
    let outcome = stage.play(&parts, &order).await;
    let told = format!("{ticks} ticks before the commit: {outcome:?}");
    assert!(outcome.waited.is_empty(), "{told}");
    assert!(outcome.answers[2][1..=TICKS].iter().all(|busy| busy == "f"), "{told}");
    let count = |part, statement| outcome.of(part, statement).parse().expect("a count");
    assert_eq!(count(2, 0), OTHERS + 1, "the lane is served: {told}");
    (count(3, ticks), count(2, 0) + count(2, TICKS + 1))
}

/// Wherever the commit comes among the ticks; a job that can be passed is where it comes late, and claimed all the same.
async fn every_commit_is_served(begin: &str, passes: bool) {
    let stage = Stage::set().await;
    stop_clock(&stage.db).await;
    for ticks in 0..=TICKS {
        let (behind, claimed) = a_commit_after(&stage, begin, ticks).await;
        assert_eq!(behind, usize::from(passes && ticks > WAITED_FOR), "{ticks} ticks before");
        if ticks < TICKS {
            assert_eq!(claimed, OTHERS + 2, "{ticks} ticks before the commit: not by the last");
        }
        assert_eq!(claimed + stage.audit().await.len(), OTHERS + 2, "{ticks} ticks before");
    }
}

#[tokio::test]
async fn a_shared_mark_that_passes_an_open_producer_loses_none_of_its_jobs() {
    every_commit_is_served("begin", true).await;
}

/// Such a producer chooses no lane: a tick does after its commit.
#[tokio::test]
async fn a_shared_mark_never_passes_the_jobs_of_a_repeatable_read_producer() {
    every_commit_is_served(REPEATABLE, false).await;
}

/// The control: without the second half of the bargain, what was passed is never claimed.
#[tokio::test]
async fn the_orders_tell_a_mark_that_passes_producers_and_never_looks_back() {
    let stage = Stage::set().await;
    stop_clock(&stage.db).await;
    stage.replace("renew_passed", "if v_part = '{}' then", "if true then").await;
    let (behind, claimed) = a_commit_after(&stage, "begin", WAITED_FOR + 1).await;
    assert_eq!((behind, claimed), (1, OTHERS + 1), "it is passed, and not served");
    stage.ticks(60).await;
    assert_eq!(claim_jobs(&stage.worker, 1_000, &mut None).await.len(), 0, "nobody noticed");
    assert_eq!(stage.number(BEHIND).await, 1);
}
