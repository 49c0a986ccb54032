//! Ranges of ids: an application never fails because nobody made one, and retention drops whole ones beside running jobs.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde_json::json;
use tokio_postgres::error::SqlState;
use uuid::Uuid;

use crate::{
    calls::{
        Claimed, claim_jobs, dispatch, dispatch_batch, dispatch_object, settle, settle_all, tenant,
        tick,
    },
    support::{Client, TestDb},
};

async fn count(owner: &Client, sql: &str) -> i64 {
    owner.query_one(sql, &[]).await.expect("count").get(0)
}

/// What `drop_ranges` did, and then `prune`: ranges dropped, rows deleted.
async fn prune(worker: &Client) -> (i32, i64) {
    let sql = "select ranges_dropped from fairclaim.drop_ranges()";
    let dropped = worker.query_one(sql, &[]).await.expect("drop_ranges").get(0);
    loop {
        let sql = "select rows_deleted, busy from fairclaim.prune()";
        let row = worker.query_one(sql, &[]).await.expect("prune");
        if !row.get::<_, bool>(1) {
            return (dropped, row.get(0));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Whether an id lies within a minute of the clock.
async fn is_of_now(owner: &Client, id: Uuid) -> bool {
    owner
        .query_one(
            "select $1 between fairclaim_internal.id_at(fairclaim_internal.millis(fairclaim.clock() - interval '1 min'))
                           and fairclaim_internal.id_at(fairclaim_internal.millis(fairclaim.clock() + interval '1 min'))",
            &[&id],
        )
        .await
        .expect("compare")
        .get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn dispatch_works_when_nobody_ticked_for_forty_days() {
    let db = TestDb::with_test_clock().await;
    let (mut slow, producer) = (db.producer().await, db.producer().await);
    let (worker, owner) = (db.worker().await, db.owner().await);
    assert!(is_of_now(&owner, dispatch(&producer, tenant(1), "mail").await).await);
    let open = slow.transaction().await.expect("begin");
    let mut ids = vec![dispatch(&open, tenant(2), "mail").await];

    db.advance("40 days").await;
    let far = dispatch(&producer, tenant(1), "mail").await;
    assert!(!is_of_now(&owner, far).await, "the test does not reach beyond the last range");
    ids.push(far);
    ids.extend(
        dispatch_batch(&producer, &vec![json!({"tenant_id": tenant(3), "type": "mail"}); 30]).await,
    );
    ids.push(dispatch(&open, tenant(2), "mail").await);
    let delayed = json!({"tenant_id": tenant(1), "type": "mail", "run_at": "2027-06-01T00:00:00Z"});
    dispatch_object(&producer, delayed).await;
    let true_times = "select count(*) from fairclaim_internal.job where created_at > fairclaim.clock() - interval '1 min'";
    assert_eq!(count(&owner, true_times).await, 32, "created_at is the time of the dispatch");
    let jobs = claim_jobs(&worker, 100, &mut None).await;
    assert_eq!(jobs.len(), 32);
    settle_all(&worker, &jobs, "complete").await;

    // The first tick after that long catches up, beside the dispatcher that is still open.
    for _ in 0..3 {
        assert!(!tick(&worker).await.get::<_, bool>("busy"));
    }
    let ahead = "select count(*) from fairclaim_internal.id_range where ends_at > fairclaim.clock() + interval '3 days'";
    assert!(count(&owner, ahead).await > 0, "ranges are ahead of the clock again");
    let now = dispatch(&producer, tenant(1), "mail").await;
    assert!(is_of_now(&owner, now).await, "ids follow the clock again");
    open.commit().await.expect("commit");
    tick(&worker).await;
    let jobs = claim_jobs(&worker, 100, &mut None).await;
    assert_eq!(jobs.len(), 3, "the new one and the two of the open dispatcher");
    assert!(jobs.iter().any(|job| job.id == ids[0]) && jobs.iter().any(|job| job.id == now));
}

/// Dispatches, claims and settles until it is told to stop; how many jobs it has brought to their end.
async fn keep_running(producer: Client, worker: Client, stop: Arc<AtomicBool>) -> usize {
    let mut done = 0;
    while !stop.load(Ordering::Acquire) {
        dispatch(&producer, tenant(1), "mail").await;
        dispatch_batch(&producer, &vec![json!({"tenant_id": tenant(2), "type": "mail"}); 3]).await;
        let claim = "select * from fairclaim.claim_jobs('worker', null, 10, p_lease => 86400)";
        let rows = match worker.query(claim, &[]).await {
            // the clock went on by more than the lease while it claimed
            Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => continue,
            rows => rows.expect("claim_jobs"),
        };
        for row in rows {
            // The clock may have passed the lease meanwhile; then the job comes back and is claimed once more.
            done += usize::from(settle(&worker, &Claimed::from(&row), "complete").await.accepted);
        }
    }
    done
}

#[tokio::test(flavor = "multi_thread")]
async fn retention_drops_ranges_while_jobs_run() {
    let db = TestDb::with_test_clock().await;
    let (worker, owner) = (db.worker().await, db.owner().await);
    let stop = Arc::new(AtomicBool::new(false));
    let mut crews = tokio::task::JoinSet::new();
    for _ in 0..2 {
        crews.spawn(keep_running(db.producer().await, db.worker().await, stop.clone()));
    }
    let mut dropped = 0;
    let mut most = 0;
    for _ in 0..48 {
        db.advance("12 hours").await;
        tick(&worker).await;
        // Its locks may not be free for 100 ms; then the next call tries again.
        for _ in 0..20 {
            let (ranges, _) = prune(&worker).await;
            dropped += ranges;
            if count(&owner, EXPIRED).await == 0 {
                break;
            }
        }
        most = most.max(count(&owner, "select count(*) from fairclaim_internal.id_range").await);
    }
    stop.store(true, Ordering::Release);
    let done: usize = crews.join_all().await.iter().sum();
    assert!(done > 100, "{done} jobs ran beside it");
    assert!(dropped >= 8, "{dropped} ranges were dropped in 24 days");
    assert!(most <= 13, "{most} ranges at once: retention keeps pace with time");
    db.advance("1 day").await; // a lease that was lost on the way
    tick(&worker).await;
    loop {
        let jobs = claim_jobs(&worker, 1000, &mut None).await;
        if jobs.is_empty() {
            break;
        }
        settle_all(&worker, &jobs, "complete").await;
    }
    let unfinished = "select count(*) from fairclaim_internal.job j where not exists (
                        select from fairclaim_internal.finished f where f.id = j.id and f.tenant_id = j.tenant_id)";
    assert_eq!(count(&owner, unfinished).await, 0);
    let orphans = "select count(*) from fairclaim_internal.finished f where not exists (
                     select from fairclaim_internal.job j where j.id = f.id and j.tenant_id = f.tenant_id)";
    assert_eq!(count(&owner, orphans).await, 0, "the three tables drop the same ranges");
    let tables = "select count(*) from pg_catalog.pg_inherits i where i.inhparent in (
                    'fairclaim_internal.job'::regclass, 'fairclaim_internal.finished'::regclass, 'fairclaim_internal.attempt_error'::regclass)";
    assert_eq!(
        count(&owner, tables).await,
        3 * count(&owner, "select count(*) from fairclaim_internal.id_range").await
    );
}

/// Ranges that are past retention.
const EXPIRED: &str =
    "select count(*) from fairclaim_internal.id_range r, fairclaim_internal.setting s
                        where r.ends_at < fairclaim.clock() - s.retention";

#[tokio::test(flavor = "multi_thread")]
async fn a_pinned_range_is_emptied_row_by_row() {
    let db = TestDb::with_test_clock().await;
    let (producer, worker, owner) = (db.producer().await, db.worker().await, db.owner().await);
    dispatch_batch(&producer, &vec![json!({"tenant_id": tenant(1), "type": "mail"}); 5]).await;
    let jobs = claim_jobs(&worker, 5, &mut None).await;
    settle_all(&worker, &jobs[..4], "complete").await;
    settle(&worker, &jobs[4], "fail").await; // leaves a row in attempt_error too
    let pinned = due_in(&producer, &owner, "20 days").await;
    db.advance("15 days").await;
    tick(&worker).await;

    assert_eq!(prune(&worker).await.1, 5, "the finished ones go, one by one");
    assert_eq!(prune(&worker).await.1, 0, "nothing more to delete");
    for table in ["finished", "attempt_error"] {
        assert_eq!(
            count(&owner, &format!("select count(*) from fairclaim_internal.{table}")).await,
            0
        );
    }
    assert_eq!(
        count(&owner, "select count(*) from fairclaim_internal.job").await,
        1,
        "the job that waits is kept"
    );

    db.advance("6 days").await;
    tick(&worker).await;
    let jobs = claim_jobs(&worker, 5, &mut None).await;
    assert_eq!(jobs.iter().map(|job| job.id).collect::<Vec<_>>(), [pinned]);
    assert_eq!(jobs[0].attempts, 1);
    settle_all(&worker, &jobs, "complete").await;
    while prune(&worker).await != (0, 0) {}
    assert_eq!(
        count(&owner, "select count(*) from fairclaim_internal.finished").await,
        1,
        "what has ended just now is kept, however old its range"
    );
    db.advance("8 days").await;
    tick(&worker).await;
    let oldest =
        "select extract(epoch from min(starts_at))::bigint from fairclaim_internal.id_range";
    let before = count(&owner, oldest).await;
    while prune(&worker).await.0 > 0 {}
    assert!(count(&owner, oldest).await > before, "a range that is pinned no longer is dropped");
    assert_eq!(count(&owner, EXPIRED).await, 0);
    assert_eq!(count(&owner, "select count(*) from fairclaim_internal.job").await, 0);
}

/// A job that is due in an interval from now.
async fn due_in(producer: &Client, owner: &Client, interval: &str) -> Uuid {
    let run_at: String = owner
        .query_one("select to_jsonb(fairclaim.clock() + $1::text::interval) #>> '{}'", &[&interval])
        .await
        .expect("a time")
        .get(0);
    dispatch_object(producer, json!({"tenant_id": tenant(1), "type": "mail", "run_at": run_at}))
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn pinned_ranges_do_not_stop_retention() {
    let db = TestDb::with_test_clock().await;
    let (producer, worker, owner) = (db.producer().await, db.worker().await, db.owner().await);
    for _ in 0..12 {
        due_in(&producer, &owner, "300 days").await;
        db.advance("42 hours").await;
        tick(&worker).await;
    }
    dispatch(&producer, tenant(1), "mail").await;
    settle_all(&worker, &claim_jobs(&worker, 5, &mut None).await, "complete").await;
    for _ in 0..7 {
        db.advance("2 days").await;
        tick(&worker).await;
    }
    for _ in 0..10 {
        prune(&worker).await;
    }
    assert_eq!(
        count(&owner, "select count(*) from fairclaim_internal.finished").await,
        0,
        "it is past retention"
    );
    assert_eq!(
        count(&owner, "select count(*) from fairclaim_internal.job").await,
        12,
        "each pins a range of its own"
    );
    assert!(count(&owner, EXPIRED).await >= 9);
}

/// Dropping needs the tables for a moment; it gives up rather than wait for a reader, and so does not stop anybody else.
#[tokio::test(flavor = "multi_thread")]
async fn prune_does_not_wait_for_a_reader() {
    let db = TestDb::with_test_clock().await;
    let (producer, worker, mut auditor) =
        (db.producer().await, db.worker().await, db.auditor().await);
    dispatch(&producer, tenant(1), "mail").await;
    settle_all(&worker, &claim_jobs(&worker, 5, &mut None).await, "complete").await;
    let reading = auditor.transaction().await.expect("begin");
    reading.query("select * from fairclaim.job_queue", &[]).await.expect("read");
    db.advance("30 days").await;
    let pruned = tokio::time::timeout(Duration::from_secs(60), prune(&worker)).await;
    assert_eq!(pruned.expect("prune waits for a reader"), (0, 1), "the row goes instead");
    dispatch(&producer, tenant(1), "mail").await;
    assert_eq!(claim_jobs(&worker, 5, &mut None).await.len(), 1);
    reading.rollback().await.expect("rollback");
    assert_eq!(prune(&worker).await.0, 1, "the reader has ended");
}

/// A deployment whose only maintenance is a scheduled `prune`: the newest range stays, and the next tick makes more.
#[tokio::test]
async fn pruning_alone_never_takes_the_last_range() {
    let db = TestDb::with_test_clock().await;
    let (producer, worker, owner) = (db.producer().await, db.worker().await, db.owner().await);
    let ranges = "select count(*) from fairclaim_internal.id_range";
    db.advance("30 days").await;
    while prune(&worker).await.0 > 0 {}
    assert_eq!(count(&owner, ranges).await, 1, "the newest is kept");
    dispatch(&producer, tenant(1), "mail").await;
    tick(&worker).await;
    assert!(count(&owner, ranges).await > 1);
    let id = dispatch(&producer, tenant(1), "mail").await;
    assert!(is_of_now(&owner, id).await, "ids are of now again");
}

/// A cluster that lost all ranges, by whatever means, heals at the next tick.
#[tokio::test]
async fn a_tick_makes_ranges_where_there_are_none() {
    let db = TestDb::new().await;
    let (producer, worker, owner) = (db.producer().await, db.worker().await, db.owner().await);
    owner
        .batch_execute(
            "do $$ declare r record; begin
               for r in select * from fairclaim_internal.id_range loop
                 perform fairclaim_internal.drop_range(r.starts_at, fairclaim.clock());
               end loop; end $$",
        )
        .await
        .expect("drop");
    tick(&worker).await;
    dispatch(&producer, tenant(1), "mail").await;
}
