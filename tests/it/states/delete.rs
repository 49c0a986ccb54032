//! Deleting: what waits or has ended goes with everything that belongs to it, and what runs stays.

use serde_json::json;
use uuid::Uuid;

use super::stage::{Seen, Stage, status};
use crate::{
    calls::{
        Settled, claim_jobs, dispatch, dispatch_many, dispatch_object, refused, settle,
        settle_after, settle_all, tenant,
    },
    support::GenericClient,
};

const DELETE: &str = "select id, status, deleted from fairclaim.delete_jobs($1, $2)";

/// Every table that has rows of single jobs.
const TABLES: [&str; 7] =
    ["job", "ready", "scheduled", "running", "finished", "attempt_error", "cancel_request"];

/// The status of each, and whether it was deleted.
async fn delete(
    operator: &impl GenericClient,
    tenant: Option<Uuid>,
    ids: &[Uuid],
) -> Vec<(Option<String>, bool)> {
    let rows = operator.query(DELETE, &[&tenant, &ids]).await.expect("delete_jobs");
    let answered: Vec<Uuid> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(answered, ids, "a row for every id, in order");
    rows.iter().map(|row| (row.get(1), row.get(2))).collect()
}

/// Where there are rows of these jobs.
async fn traces(stage: &Stage, ids: &[Uuid]) -> Vec<&'static str> {
    let mut found = Vec::new();
    for table in TABLES {
        let sql =
            format!("select count(*) from fairclaim_internal.{table} t where t.id = any ($1)");
        let row = stage.owner.query_one(&sql, &[&ids]).await.expect(table);
        if row.get::<_, i64>(0) > 0 {
            found.push(table);
        }
    }
    found
}

#[tokio::test]
async fn nothing_is_left_of_a_job_that_was_deleted_whatever_became_of_it() {
    let stage = Stage::set().await;
    let operator = stage.db.plain_operator().await;
    // ended in every way; one that failed, was run again and failed again has a long history
    let mut ended = Vec::new();
    for outcome in ["complete", "fail", "cancel"] {
        ended.push(stage.job(3).await);
        let job = stage.claim().await;
        settle(&stage.worker, &job, outcome).await;
    }
    stage.change("retry_jobs", &ended[1..2]).await;
    settle(&stage.worker, &stage.claim().await, "fail").await;
    // waiting after a failure, in a shared lane, and in an own lane
    let scheduled = stage.job(3).await;
    settle_after(&stage.worker, &stage.claim().await, "retry", Some(60.0)).await;
    let own = dispatch_object(
        &stage.producer,
        json!({"tenant_id": tenant(1), "type": "mail", "priority": 5}),
    )
    .await;
    dispatch_many(&stage.producer, tenant(1), "default", "report", 9).await;
    let shared = dispatch(&stage.producer, tenant(2), "mail").await;
    // a wish that came too late for a tick to take it away
    let wish = "insert into fairclaim_internal.cancel_request (id, tenant_id, at) values ($1, $2, fairclaim.clock())";
    stage.owner.execute(wish, &[&own, &tenant(1)]).await.expect("a wish");

    let ids = [ended[0], ended[1], ended[2], scheduled, own, shared];
    assert!(traces(&stage, &ids).await.contains(&"attempt_error"), "the stage is set");
    let were = ["completed", "failed", "cancelled", "scheduled", "pending", "pending"];
    let expected = were.map(|word| (status(word), true));
    assert_eq!(delete(&operator, None, &ids).await, expected);
    assert_eq!(traces(&stage, &ids).await, [""; 0]);
    stage.one_place_each().await;
    let again = delete(&operator, None, &ids).await;
    assert!(again.iter().all(|answer| *answer == (None, false)), "{again:?}");

    // the others are there, and nothing that was deleted comes back
    stage.later("2 min").await;
    let left = claim_jobs(&stage.worker, 100, &mut None).await;
    assert_eq!(left.len(), 9);
    assert!(left.iter().all(|job| job.job_type == "report"), "{left:?}");
    stage.one_place_each().await;
}

#[tokio::test]
async fn what_runs_stays_with_its_lease_and_goes_when_it_has_ended() {
    let stage = Stage::set().await;
    let operator = stage.db.plain_operator().await;
    let id = stage.job(3).await;
    let job = stage.claim().await;
    assert_eq!(delete(&operator, None, &[id]).await, [(status("processing"), false)]);
    assert_eq!(stage.extend(&job, "30 s").await, (true, false), "its lease stands");
    assert_eq!(settle(&stage.worker, &job, "complete").await, Settled::as_status("completed"));
    assert_eq!(delete(&operator, None, &[id]).await, [(status("completed"), true)]);
    assert_eq!(settle(&stage.worker, &job, "complete").await, Settled::REFUSED);
    assert_eq!(traces(&stage, &[id]).await, [""; 0]);
}

#[tokio::test]
async fn only_the_jobs_of_the_tenant_that_is_named_are_deleted_and_only_by_operators() {
    let stage = Stage::set().await;
    let operator = stage.db.plain_operator().await;
    let id = stage.job(3).await;
    let missing = Uuid::from_u128(7);
    assert_eq!(
        delete(&operator, Some(tenant(2)), &[id, missing]).await,
        [(None, false), (None, false)]
    );
    assert_eq!(stage.seen(id).await, Seen::waiting("pending", 0, 3, 0));
    for session in [&stage.producer, &stage.worker, &stage.db.tenant().await] {
        refused(session.query(DELETE, &[&tenant(1), &vec![id]]).await, "42501");
    }
    // an id that is named twice is answered twice
    assert_eq!(
        delete(&operator, Some(tenant(1)), &[id, missing, id]).await,
        [(status("pending"), true), (None, false), (status("pending"), true)]
    );
}

#[tokio::test]
async fn ten_thousand_jobs_are_deleted_in_one_call() {
    let stage = Stage::set().await;
    let operator = stage.db.plain_operator().await;
    dispatch_many(&stage.producer, tenant(1), "default", "mail", 10_001).await;
    let rows = stage.owner.query("select id from fairclaim_internal.job", &[]).await.expect("job");
    let mut ids: Vec<Uuid> = rows.iter().map(|row| row.get(0)).collect();
    let some = claim_jobs(&stage.worker, 1000, &mut None).await;
    settle_all(&stage.worker, &some, "fail").await;
    let kept = ids.pop().expect("the last");
    let deleted = delete(&operator, None, &ids).await;
    assert!(deleted.iter().all(|(_, deleted)| *deleted));
    assert_eq!(traces(&stage, &ids).await, [""; 0]);
    assert!(!traces(&stage, &[kept]).await.is_empty(), "the other one is there");
    stage.one_place_each().await;
}
