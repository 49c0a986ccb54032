//! H7 to H10: dispatch beyond the ranges, filters, what callers send and hear, and the pause before a retry.

use std::future::{Future, poll_fn};

use serde_json::json;
use tokio::sync::mpsc;
use tokio_postgres::{AsyncMessage, NoTls};
use uuid::Uuid;

use super::{limit, ticks};
use crate::{
    calls::{
        claim_job, claim_jobs, dispatch, dispatch_batch, dispatch_many, dispatch_object,
        settle_after, settle_all, tenant, tick,
    },
    support::{Client, TestDb},
};

/// H7: beyond the last range a dispatch failed.
#[tokio::test(flavor = "multi_thread")]
async fn h7_a_dispatch_beyond_the_last_range_takes_an_id_at_its_end() {
    let db = TestDb::with_test_clock().await;
    let (producer, worker, owner) = (db.producer().await, db.worker().await, db.owner().await);
    db.advance("400 days").await;
    let mut ids =
        dispatch_batch(&producer, &vec![json!({"tenant_id": tenant(1), "type": "mail"}); 20]).await;
    ids.push(dispatch(&producer, tenant(1), "mail").await);
    let row = owner
        .query_one(
            "select bool_and(j.created_at > fairclaim.clock() - interval '1 min'),
                    bool_and(j.id >= fairclaim_internal.id_at(fairclaim_internal.millis(r.ends_at) - 1)
                             and j.id < fairclaim_internal.id_at(fairclaim_internal.millis(r.ends_at)))
               from fairclaim_internal.job j, (select max(ends_at) ends_at from fairclaim_internal.id_range) r",
            &[],
        )
        .await
        .expect("jobs");
    assert!(row.get::<_, bool>(0), "created_at stays true");
    assert!(row.get::<_, bool>(1), "ids at the end of the last range");
    let jobs = claim_jobs(&worker, 100, &mut None).await;
    assert_eq!(jobs.len(), ids.len());
    settle_all(&worker, &jobs, "complete").await;
}

/// H8: with several shared lanes, rows that a limit or a priority passes over used up the claim.
#[tokio::test(flavor = "multi_thread")]
async fn h8_rows_that_are_passed_over_do_not_use_up_a_claim() {
    let db = TestDb::new().await;
    let (producer, worker, owner) = (db.producer().await, db.worker().await, db.owner().await);
    for _ in 0..8 {
        dispatch(&producer, tenant(1), "old").await;
    }
    let mut open = Vec::new();
    for n in 0..8 {
        open.push(dispatch(&producer, tenant(10 + n), "new").await);
    }
    limit(&owner, tenant(1), 1).await;
    let jobs = claim_jobs(&worker, 8, &mut None).await;
    let mut got: Vec<Uuid> = jobs.iter().map(|job| job.id).collect();
    got.sort_unstable();
    assert_eq!(got, open, "the limited tenant's eight older rows are not counted");
}

/// H9: delays were intervals, which drivers cannot send in lists; they are seconds.
#[tokio::test(flavor = "multi_thread")]
async fn h9_delays_are_seconds() {
    let db = TestDb::with_test_clock().await;
    let (producer, worker) = (db.producer().await, db.worker().await);
    dispatch(&producer, tenant(1), "mail").await;
    let job = claim_job(&worker, "w").await.expect("the job");
    let snoozed = settle_after(&worker, &job, "snooze", Some(90.5)).await;
    assert_eq!(snoozed.status.as_deref(), Some("scheduled"));
    db.advance("1 min").await;
    assert_eq!(tick(&worker).await.get::<_, i32>("promoted"), 0);
    db.advance("1 min").await;
    assert_eq!(tick(&worker).await.get::<_, i32>("promoted"), 1);
}

/// H9: there was no way to cancel and retry by id, in a shared lane, in an own lane, delayed or done.
#[tokio::test(flavor = "multi_thread")]
async fn h9_jobs_are_cancelled_and_retried_by_id() {
    let db = TestDb::new().await;
    let (producer, worker) = (db.producer().await, db.worker().await);
    let later = json!({"tenant_id": tenant(1), "type": "mail", "run_at": "2027-11-01T00:00:00Z"});
    let mut ids =
        vec![dispatch(&producer, tenant(1), "mail").await, dispatch_object(&producer, later).await];
    let own = json!({"tenant_id": tenant(1), "type": "mail", "priority": 2});
    ids.extend(dispatch_batch(&producer, &[own.clone(), own]).await);
    ids.push(Uuid::nil());

    let status = change(&producer, "cancel_jobs", &ids[..3]).await;
    assert_eq!(status, ["cancelled"; 3].map(|status| Some(status.to_owned())));
    let jobs = claim_jobs(&worker, 10, &mut None).await;
    assert_eq!(
        jobs.iter().map(|job| job.id).collect::<Vec<_>>(),
        [ids[3]],
        "the one that was not cancelled"
    );
    settle_all(&worker, &jobs, "complete").await;
    let status = change(&producer, "retry_jobs", &ids).await;
    assert_eq!(status[..4], ["pending"; 4].map(|status| Some(status.to_owned())));
    assert_eq!(status[4], None, "a job that does not exist");
    assert_eq!(claim_jobs(&worker, 10, &mut None).await.len(), 4);
}

async fn change(producer: &Client, function: &str, ids: &[Uuid]) -> Vec<Option<String>> {
    let sql = format!("select c.id, c.status from fairclaim.{function}($1, $2) c");
    let rows = producer.query(&sql, &[&tenant(1), &ids]).await.expect("change");
    assert_eq!(rows.iter().map(|row| row.get::<_, Uuid>(0)).collect::<Vec<_>>(), ids);
    rows.iter().map(|row| row.get(1)).collect()
}

/// H9: no queues named means every queue, but not a paused one.
#[tokio::test(flavor = "multi_thread")]
async fn h9_a_claim_without_queues_visits_them_all() {
    let db = TestDb::new().await;
    let (producer, worker, owner) = (db.producer().await, db.worker().await, db.owner().await);
    for queue in ["a", "b", "c"] {
        dispatch_many(&producer, tenant(1), queue, "mail", 12).await;
        dispatch_object(&producer, json!({"tenant_id": tenant(2), "type": "mail", "queue": queue}))
            .await;
    }
    owner
        .batch_execute("insert into fairclaim_internal.queue values ('b', fairclaim.clock())")
        .await
        .expect("pause");
    let jobs = claim_jobs(&worker, 100, &mut None).await;
    assert_eq!(jobs.len(), 26);
    assert!(jobs.iter().all(|job| job.queue != "b"));
    owner
        .batch_execute("update fairclaim_internal.queue set paused_at = null")
        .await
        .expect("resume");
    assert_eq!(claim_jobs(&worker, 100, &mut None).await.len(), 13);
}

/// H9: a row of `ready` whose lane is gone (there should be none) waited for ever.
#[tokio::test(flavor = "multi_thread")]
async fn h9_rows_without_a_lane_are_swept_back() {
    let db = TestDb::new().await;
    let (producer, worker, owner) = (db.producer().await, db.worker().await, db.owner().await);
    dispatch_many(&producer, tenant(1), "default", "mail", 20).await;
    dispatch(&producer, tenant(2), "mail").await;
    owner.batch_execute("delete from fairclaim_internal.lane").await.expect("lose the lanes");
    assert_eq!(claim_jobs(&worker, 100, &mut None).await.len(), 0);
    ticks(&worker, 60).await;
    assert_eq!(claim_jobs(&worker, 100, &mut None).await.len(), 21);
}

/// H9: dispatch did not wake idle workers; now it does, but does not slow down when all are busy.
#[tokio::test(flavor = "multi_thread")]
async fn h9_a_dispatch_wakes_idle_workers_only() {
    let db = TestDb::new().await;
    let (producer, worker) = (db.producer().await, db.worker().await);
    let woken = count_notifications(&db, async {
        dispatch(&producer, tenant(1), "mail").await;
    });
    assert_eq!(woken.await, 0, "nobody was idle");
    let woken = count_notifications(&db, async {
        claim_jobs(&worker, 10, &mut None).await;
        assert_eq!(claim_jobs(&worker, 10, &mut None).await.len(), 0);
        dispatch(&producer, tenant(1), "mail").await;
    });
    assert_eq!(woken.await, 1);
}

/// How many notifications, all without a payload, arrive while something is done.
async fn count_notifications(db: &TestDb, what: impl Future<Output = ()>) -> usize {
    let (client, mut connection) =
        tokio_postgres::connect(&db.direct_url("test_worker"), NoTls).await.expect("connect");
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let pump = tokio::spawn(async move {
        while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
            if let AsyncMessage::Notification(notification) = message {
                assert_eq!((notification.channel(), notification.payload()), ("fairclaim", ""));
                sender.send(()).expect("counted");
            }
        }
    });
    client.batch_execute("listen fairclaim").await.expect("listen");
    what.await;
    // The server delivers to a listener before the answer to its next statement, whatever was committed until then.
    client.batch_execute("select 1").await.expect("a round trip");
    drop(client);
    pump.await.expect("the connection");
    let mut count = 0;
    while receiver.recv().await.is_some() {
        count += 1;
    }
    count
}

/// H10: the pause before a retry grew with attempts, so a job released often waited an hour after its first failure.
#[tokio::test(flavor = "multi_thread")]
async fn h10_the_pause_before_a_retry_grows_with_failures() {
    let db = TestDb::with_test_clock().await;
    let (producer, worker, owner) = (db.producer().await, db.worker().await, db.owner().await);
    dispatch(&producer, tenant(1), "mail").await;
    for failures in 0..4 {
        for _ in 0..3 {
            let job = claim_job(&worker, "w").await.expect("the job");
            settle_after(&worker, &job, "release", None).await;
        }
        let job = claim_job(&worker, "w").await.expect("the job");
        let before = seconds(&owner, "select extract(epoch from fairclaim.clock())::float8").await;
        settle_after(&worker, &job, "retry", None).await;
        let after = seconds(&owner, "select extract(epoch from fairclaim.clock())::float8").await;
        let due = seconds(
            &owner,
            "select extract(epoch from run_at)::float8 from fairclaim_internal.scheduled",
        )
        .await;
        let base = 15.0 * 2_f64.powi(failures);
        assert!(
            due >= before + base * 0.79 && due <= after + base * 1.21,
            "failure {failures}: {}",
            due - after
        );
        db.advance("5 min").await;
        tick(&worker).await;
    }
}

async fn seconds(owner: &Client, sql: &str) -> f64 {
    owner.query_one(sql, &[]).await.expect("a time").get(0)
}
