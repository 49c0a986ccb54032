//! Settlements and heartbeats of an attempt that is over, in one call with those of the attempt that is running: a worker
//! that claims its own expired job again sends both.

use uuid::Uuid;

use crate::{
    calls::{Claimed, claim_job, claim_jobs, dispatch, settle_after, tenant},
    support::{Client, TestDb},
};

/// A job whose first attempt is over, and whose second runs; and another job.
async fn two_attempts(db: &TestDb) -> (Client, [Claimed; 3]) {
    let (producer, worker) = (db.producer().await, db.worker().await);
    dispatch(&producer, tenant(1), "mail").await;
    let first = claim_job(&worker, "worker").await.expect("the job");
    settle_after(&worker, &first, "release", None).await;
    let second = claim_job(&worker, "worker").await.expect("the job again");
    assert_eq!((first.id, first.attempts + 1), (second.id, second.attempts));
    dispatch(&producer, tenant(1), "mail").await;
    let other = claim_jobs(&worker, 1, &mut None).await.remove(0);
    (worker, [first, second, other])
}

/// Settles all three in one call; accepted or not, and the status, in their order.
async fn settle_three(
    worker: &Client,
    jobs: &[Claimed; 3],
    outcomes: [&str; 3],
) -> Vec<(bool, Option<String>)> {
    let ids: Vec<Uuid> = jobs.iter().map(|job| job.id).collect();
    let attempts: Vec<i32> = jobs.iter().map(|job| job.attempts).collect();
    let tokens: Vec<Uuid> = jobs.iter().map(|job| job.token).collect();
    let rows = worker
        .query(
            "select id, kind = 'settled', case kind when 'settled' then status end from fairclaim.settle_jobs('worker', $1, $2, $3, $4,
               array(select case o when 'complete' then r end
                 from unnest($4::text[], array['\"first\"', '\"second\"', '\"other\"']) with ordinality x(o, r, n) order by n))",
            &[&ids, &attempts, &tokens, &outcomes.as_slice()],
        )
        .await
        .expect("settle_jobs");
    assert_eq!(rows.iter().map(|row| row.get::<_, Uuid>(0)).collect::<Vec<_>>(), ids);
    rows.iter().map(|row| (row.get(1), row.get(2))).collect()
}

/// The result that is stored for a job.
async fn result(db: &TestDb, job: &Claimed) -> Option<serde_json::Value> {
    let auditor = db.auditor().await;
    let query = "select result from fairclaim.job_queue where id = $1";
    auditor.query_one(query, &[&job.id]).await.expect("the job").get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_completion_beside_the_live_one_is_refused_and_its_result_dropped() {
    let db = TestDb::new().await;
    let (worker, jobs) = two_attempts(&db).await;
    let answers = settle_three(&worker, &jobs, ["complete"; 3]).await;
    let completed = || (true, Some("completed".to_owned()));
    assert_eq!(answers, [(false, None), completed(), completed()]);
    assert_eq!(result(&db, &jobs[1]).await, Some("second".into()));
    assert_eq!(result(&db, &jobs[2]).await, Some("other".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_failure_beside_the_live_completion_is_refused() {
    let db = TestDb::new().await;
    let (worker, jobs) = two_attempts(&db).await;
    let answers = settle_three(&worker, &jobs, ["fail", "complete", "cancel"]).await;
    let accepted = |status: &str| (true, Some(status.to_owned()));
    assert_eq!(answers, [(false, None), accepted("completed"), accepted("cancelled")]);
    assert_eq!(result(&db, &jobs[1]).await, Some("second".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heartbeat_tells_the_stale_lease_from_the_live_one() {
    let db = TestDb::new().await;
    let (worker, jobs) = two_attempts(&db).await;
    let cancel = "select status from fairclaim.cancel_jobs($1, $2)";
    db.producer().await.query(cancel, &[&tenant(1), &vec![jobs[1].id]]).await.expect("cancel_jobs");
    let ids: Vec<Uuid> = jobs.iter().map(|job| job.id).collect();
    let attempts: Vec<i32> = jobs.iter().map(|job| job.attempts).collect();
    let tokens: Vec<Uuid> = jobs.iter().map(|job| job.token).collect();
    let rows = worker
        .query(
            "select accepted, cancel_requested from fairclaim.extend_leases('worker', $1, $2, $3)",
            &[&ids, &attempts, &tokens],
        )
        .await
        .expect("extend_leases");
    let answers: Vec<(bool, bool)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(answers, [(false, false), (true, true), (true, false)]);
}
