//! Ranges of ids under a clock that is wrong, and under a history that cannot go: a dispatch never fails for them, no range is
//! wider than it should be, and their number stays bounded.

use serde_json::json;
use tokio_postgres::error::SqlState;
use uuid::Uuid;

use crate::{
    calls::{
        claim_jobs, dispatch, dispatch_batch, dispatch_object, settle, settle_all, tenant, tick,
    },
    support::{Client, TestDb},
};

async fn count(owner: &Client, sql: &str) -> i64 {
    owner.query_one(sql, &[]).await.expect(sql).get(0)
}

const RANGES: &str = "select count(*) from fairclaim_internal.id_range";
const WIDE: &str = "select count(*) from fairclaim_internal.id_range where ends_at - starts_at > interval '7 days'";

/// Whether an id lies within a minute of the clock.
async fn is_of_now(owner: &Client, id: Uuid) -> bool {
    let sql = "select $1 between fairclaim_internal.id_at(fairclaim_internal.millis(fairclaim.clock() - interval '1 min'))
                         and fairclaim_internal.id_at(fairclaim_internal.millis(fairclaim.clock() + interval '1 min'))";
    owner.query_one(sql, &[&id]).await.expect(sql).get(0)
}

/// Drops and deletes until nothing goes any more.
async fn retain(worker: &Client) {
    let dropped = "select ranges_dropped > 0 from fairclaim.drop_ranges()";
    while worker.query_one(dropped, &[]).await.expect(dropped).get(0) {}
    let pruned = "select more or busy from fairclaim.prune()";
    while worker.query_one(pruned, &[]).await.expect(pruned).get(0) {}
    while worker.query_one(dropped, &[]).await.expect(dropped).get(0) {}
}

async fn work_off(worker: &Client, jobs: usize) {
    let claimed = claim_jobs(worker, 100, &mut None).await;
    assert_eq!(claimed.len(), jobs);
    settle_all(worker, &claimed, "complete").await;
}

/// The clock of the server was ahead when it was installed, or is behind for a while.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_before_the_first_range_fails_no_dispatch() {
    for behind in ["-30 days", "-365 days"] {
        let db = TestDb::with_test_clock().await;
        let (producer, worker, owner) = (db.producer().await, db.worker().await, db.owner().await);
        db.advance(behind).await;
        let first = dispatch(&producer, tenant(1), "mail").await;
        assert!(!is_of_now(&owner, first).await, "the test does not reach before the first range");
        let jobs = vec![json!({"tenant_id": tenant(2), "type": "mail"}); 3];
        dispatch_batch(&producer, &jobs).await;
        let true_times = "select count(*) from fairclaim_internal.job
                           where abs(extract(epoch from created_at - fairclaim.clock())) < 60";
        assert_eq!(count(&owner, true_times).await, 4, "created_at is the time of the dispatch");
        work_off(&worker, 4).await;

        for _ in 0..3 {
            tick(&worker).await;
        }
        let now = dispatch(&producer, tenant(1), "mail").await;
        assert!(is_of_now(&owner, now).await, "ids follow the clock again");
        work_off(&worker, 1).await;
        assert_eq!(count(&owner, WIDE).await, 0);
        // what ended goes when it is past, wherever its id is
        db.advance("10 days").await;
        tick(&worker).await;
        retain(&worker).await;
        assert_eq!(count(&owner, "select count(*) from fairclaim_internal.job").await, 0);
        assert!(count(&owner, RANGES).await < 10, "ranges that are empty and far ahead go");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_was_years_ahead_for_a_while_leaves_no_wide_range() {
    let db = TestDb::with_test_clock().await;
    let (producer, worker, owner) = (db.producer().await, db.worker().await, db.owner().await);
    dispatch(&producer, tenant(1), "mail").await;
    work_off(&worker, 1).await;
    db.advance("1000 days").await;
    for _ in 0..3 {
        dispatch(&producer, tenant(1), "mail").await;
        tick(&worker).await;
    }
    let kept = claim_jobs(&worker, 1, &mut None).await;
    work_off(&worker, 2).await;
    assert_eq!(count(&owner, WIDE).await, 0);
    db.advance("-1000 days").await;
    settle(&worker, &kept[0], "complete").await;
    // days pass: the ranges around the clock go on, although others lie years ahead
    for day in 0..30 {
        tick(&worker).await;
        let id = dispatch(&producer, tenant(1), "mail").await;
        assert!(is_of_now(&owner, id).await, "day {day}");
        work_off(&worker, 1).await;
        retain(&worker).await;
        db.advance("1 day").await;
    }
    assert_eq!(count(&owner, WIDE).await, 0);
    assert!(count(&owner, RANGES).await < 20);
    let late = "select count(*) from fairclaim_internal.finished where completed_at < fairclaim.clock() - interval '10 days'";
    assert_eq!(count(&owner, late).await, 0, "retention goes on");
    let ahead = "select count(*) from fairclaim_internal.finished where completed_at > fairclaim.clock() + interval '1 day'";
    assert_eq!(count(&owner, ahead).await, 2, "what ended by the wrong clock is kept until then");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_notes_how_far_ranges_reach_and_a_crash_loses_only_the_note() {
    let db = TestDb::new().await;
    let (producer, owner) = (db.producer().await, db.owner().await);
    let noted = "select count(*) from fairclaim_internal.range_block(fairclaim.clock()) b
                  where pg_sequence_last_value('fairclaim_internal.range_start') = fairclaim_internal.millis(b.starts_at)
                    and pg_sequence_last_value('fairclaim_internal.range_end') = fairclaim_internal.millis(b.ends_at)";
    assert_eq!(count(&owner, noted).await, 1);
    // what a crash leaves of an unlogged sequence
    owner
        .batch_execute(
            "alter sequence fairclaim_internal.range_start restart; alter sequence fairclaim_internal.range_end restart",
        )
        .await
        .expect("restart");
    let id = dispatch(&producer, tenant(1), "mail").await;
    assert!(is_of_now(&owner, id).await);
    tick(&db.worker().await).await;
    assert_eq!(count(&owner, noted).await, 1);
}

/// With a short retention and jobs that wait long, each would keep a range of its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_claim_holds_few_locks_however_many_jobs_wait_for_long() {
    let db = TestDb::with_test_clock().await;
    let (producer, mut worker, owner) = (db.producer().await, db.worker().await, db.owner().await);
    let short = "update fairclaim_internal.setting set retention = '4 hours'";
    owner.batch_execute(short).await.expect(short);
    let mut most = 0;
    for hour in 0..600 {
        let at = "select to_jsonb(fairclaim.clock() + interval '30 days') #>> '{}'";
        let run_at: String = owner.query_one(at, &[]).await.expect(at).get(0);
        let reminder = json!({"tenant_id": tenant(1), "type": "mail", "run_at": run_at});
        dispatch_object(&producer, reminder).await;
        tick(&worker).await;
        if hour % 24 == 0 {
            retain(&worker).await;
            most = most.max(count(&owner, RANGES).await);
        }
        db.advance("1 hour").await;
    }
    assert!((20..=64).contains(&most), "{most} ranges");
    dispatch(&producer, tenant(1), "mail").await;
    let claiming = worker.transaction().await.expect("begin");
    let claim = "select count(*) from fairclaim.claim_jobs('w', null, 10)";
    assert_eq!(claiming.query_one(claim, &[]).await.expect(claim).get::<_, i64>(0), 1);
    let locks = "select count(*) from pg_locks where pid = pg_backend_pid()";
    let locks: i64 = claiming.query_one(locks, &[]).await.expect(locks).get(0);
    assert!(locks < 200, "{locks} locks with {most} ranges");
}

/// A retention of years makes no range of years.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_retention_makes_no_wide_ranges_and_its_bounds_are_kept() {
    let db = TestDb::with_test_clock().await;
    let (worker, owner) = (db.worker().await, db.owner().await);
    let set = "update fairclaim_internal.setting set retention = $1::text::interval";
    owner.execute(set, &[&"20 years"]).await.expect(set);
    for _ in 0..10 {
        db.advance("5 days").await;
        tick(&worker).await;
    }
    assert_eq!(count(&owner, WIDE).await, 0);
    let ahead = "select count(*) from fairclaim_internal.id_range where starts_at > fairclaim.clock() + interval '29 days'";
    assert_eq!(count(&owner, ahead).await, 0, "no farther ahead than needed");
    for absurd in ["59 minutes", "1001 years", "-1 day", "0"] {
        let error = owner.execute(set, &[&absurd]).await.expect_err(absurd);
        assert_eq!(error.code().map(SqlState::code), Some("23514"), "{absurd}");
    }
    for absurd in ["59 minutes", "1001 years"] {
        for function in ["prune", "drop_ranges"] {
            let sql = format!(
                "select * from fairclaim.{function}(extract(epoch from interval '{absurd}')::float8)"
            );
            let error = db.operator().await.query(&sql, &[]).await.expect_err(&sql);
            assert_eq!(error.code().map(SqlState::code), Some("JQ004"), "{sql}");
        }
    }
}
