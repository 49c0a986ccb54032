//! `release_claims`: a worker gives back what a claim without an answer took, by the token that it sent along.

use uuid::Uuid;

use crate::{
    calls::{claim_job, dispatch, dispatch_many, settle, tenant},
    support::{Client, GenericClient, TestDb},
};

const CLAIMS: [&str; 2] = [
    "select id, lease_token from fairclaim.claim_jobs('w', null, $1, p_lease_token => $2)",
    "select id, lease_token from fairclaim.settle_and_claim('w', '{}', '{}', '{}', '{}', null, null, null, null, $1,
       p_lease_token => $2) c where c.kind = 'claimed'",
];

/// Claims with a token of its own and hears nothing of it.
async fn claim(worker: &impl GenericClient, sql: &str, limit: i32) -> Uuid {
    let token = Uuid::new_v4();
    let rows = worker.query(sql, &[&limit, &token]).await.expect("a claim");
    assert_eq!(rows.len(), usize::try_from(limit).expect("a few"));
    assert!(rows.iter().all(|row| row.get::<_, Uuid>("lease_token") == token));
    token
}

/// How many jobs were given back, all of one claim.
async fn release(worker: &impl GenericClient, worker_id: &str, tokens: &[Uuid]) -> i32 {
    let sql = "select lease_token, jobs from fairclaim.release_claims($1, $2)";
    let rows = worker.query(sql, &[&worker_id, &tokens]).await.expect("release_claims");
    assert!(rows.len() <= 1, "the tokens of which nothing was there are left out");
    rows.first().map_or(0, |row| {
        assert!(tokens.contains(&row.get(0)));
        row.get(1)
    })
}

/// Status, attempts, what is left of them and losses, of all jobs alike.
async fn all_are(auditor: &Client, expected: (&str, i32, i32, i32)) {
    let sql = "select distinct status, attempts, attempts_left, lost from fairclaim.job_queue";
    let rows = auditor.query(sql, &[]).await.expect("job_queue");
    let found: Vec<(String, i32, i32, i32)> =
        rows.iter().map(|row| (row.get(0), row.get(1), row.get(2), row.get(3))).collect();
    let (status, attempts, left, lost) = expected;
    assert_eq!(found, [(status.to_owned(), attempts, left, lost)]);
}

#[tokio::test]
async fn what_a_claim_took_waits_again_and_costs_no_attempt_and_no_loss() {
    for (sql, limit) in CLAIMS.iter().flat_map(|sql| [(*sql, 1), (*sql, 30)]) {
        let db = TestDb::new().await;
        let (producer, worker, auditor) =
            (db.producer().await, db.worker().await, db.auditor().await);
        dispatch_many(&producer, tenant(1), "default", "mail", limit).await;
        let token = claim(&worker, sql, limit).await;
        all_are(&auditor, ("processing", 1, 25, 0)).await;
        assert_eq!(release(&worker, "w", &[Uuid::new_v4(), token]).await, limit, "{sql}");
        all_are(&auditor, ("pending", 1, 25, 0)).await;
        assert_eq!(release(&worker, "w", &[token]).await, 0, "once is enough");
        claim(&worker, sql, limit).await;
        all_are(&auditor, ("processing", 2, 25, 0)).await;
    }
}

#[tokio::test]
async fn it_gives_back_nothing_of_anybody_else() {
    let db = TestDb::new().await;
    let (producer, worker) = (db.producer().await, db.worker().await);
    dispatch_many(&producer, tenant(1), "default", "mail", 2).await;
    let other = claim_job(&worker, "w").await.expect("a job");
    let token = claim(&worker, CLAIMS[0], 1).await;
    assert_eq!(release(&worker, "somebody", &[token]).await, 0, "another worker's");
    assert_eq!(release(&worker, "w", &[Uuid::new_v4()]).await, 0, "no claim's");
    assert_eq!(release(&worker, "w", &[token]).await, 1);
    assert!(settle(&worker, &other, "complete").await.accepted, "the other claim is untouched");
}

#[tokio::test]
async fn a_settlement_of_what_was_given_back_is_stale() {
    let db = TestDb::new().await;
    let (producer, worker) = (db.producer().await, db.worker().await);
    dispatch(&producer, tenant(1), "mail").await;
    let job = claim_job(&worker, "w").await.expect("the job");
    assert_eq!(release(&worker, "w", &[job.token]).await, 1);
    assert!(!settle(&worker, &job, "complete").await.accepted);
    let again = claim_job(&worker, "w").await.expect("the job again");
    assert_eq!((again.id, again.attempts, again.lost), (job.id, 2, 0));
    assert_eq!(release(&worker, "w", &[job.token]).await, 0, "the new attempt has another token");
    assert!(settle(&worker, &again, "complete").await.accepted);
}

#[tokio::test]
async fn a_job_that_somebody_wants_to_cancel_ends() {
    let db = TestDb::new().await;
    let (producer, worker, auditor) = (db.producer().await, db.worker().await, db.auditor().await);
    let id = dispatch(&producer, tenant(1), "mail").await;
    let token = claim(&worker, CLAIMS[0], 1).await;
    let cancel = "select status from fairclaim.cancel_jobs($1, array[$2::uuid])";
    let status = producer.query_one(cancel, &[&tenant(1), &id]).await.expect("cancel_jobs");
    assert_eq!(status.get::<_, &str>(0), "processing");
    assert_eq!(release(&worker, "w", &[token]).await, 1);
    let sql = "select status from fairclaim.job_queue where id = $1";
    let row = auditor.query_one(sql, &[&id]).await.expect("the job");
    assert_eq!(row.get::<_, &str>(0), "cancelled");
}

/// A claim that is still open is not seen, and not waited for; the next look finds it.
#[tokio::test]
async fn a_claim_that_is_still_under_way_is_found_by_a_later_look() {
    let db = TestDb::new().await;
    let (producer, worker, mut open) = (db.producer().await, db.worker().await, db.worker().await);
    dispatch(&producer, tenant(1), "mail").await;
    let transaction = open.transaction().await.expect("begin");
    let token = claim(&transaction, CLAIMS[1], 1).await;
    assert_eq!(release(&worker, "w", &[token]).await, 0);
    transaction.commit().await.expect("commit");
    assert_eq!(release(&worker, "w", &[token]).await, 1);
}
