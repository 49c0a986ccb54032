//! Cancelling: at once what waits, by a mark what runs.

use serde_json::json;
use uuid::Uuid;

use super::stage::{Seen, Stage, status};
use crate::calls::{
    Settled, dispatch, dispatch_many, dispatch_object, refused, settle, settle_after, tenant,
};

#[tokio::test]
async fn a_waiting_job_is_cancelled_at_once() {
    let stage = Stage::set().await;
    // delayed after a failure, in a shared lane, and in an own lane
    let delayed = stage.job(3).await;
    let job = stage.claim().await;
    assert_eq!(
        settle_after(&stage.worker, &job, "retry", Some(60.0)).await,
        Settled::as_status("scheduled")
    );
    let shared = stage.job(3).await;
    dispatch_many(&stage.producer, tenant(1), "default", "report", 9).await;
    let own = dispatch_object(
        &stage.producer,
        json!({"tenant_id": tenant(1), "type": "mail", "priority": 5}),
    )
    .await;

    let ids = [shared, own, delayed, Uuid::from_u128(3)];
    let cancelled = status("cancelled");
    let answer = stage.change("cancel_jobs", &ids).await;
    assert_eq!(answer, [cancelled.clone(), cancelled.clone(), cancelled, None]);
    assert_eq!(stage.seen(delayed).await, Seen::ended("cancelled", 1));
    stage.one_place_each().await;
    stage.later("61 s").await;
    for _ in 0..9 {
        assert_eq!(stage.claim().await.job_type, "report");
    }
    stage.nothing_to_claim().await;
    // again, and when it is over: nothing more happens
    assert_eq!(stage.change("cancel_jobs", &[own]).await, [status("cancelled")]);
    stage.one_place_each().await;
}

#[tokio::test]
async fn another_tenants_job_is_not_found() {
    let stage = Stage::set().await;
    let foreign = dispatch(&stage.producer, tenant(2), "mail").await;
    assert_eq!(stage.change("cancel_jobs", &[foreign]).await, [None]);
    assert_eq!(stage.change("retry_jobs", &[foreign]).await, [None]);
    assert_eq!(stage.seen(foreign).await, Seen::waiting("pending", 0, 25, 0));
    let job = stage.claim().await;
    assert_eq!(stage.change("cancel_jobs", &[foreign]).await, [None]);
    assert_eq!(
        stage.extend(&job, "30 s").await,
        (true, false),
        "a stranger's cancel marks nothing"
    );
    settle(&stage.worker, &job, "fail").await;
    assert_eq!(stage.change("retry_jobs", &[foreign]).await, [None]);
    assert_eq!(stage.seen(foreign).await, Seen::ended("failed", 1));

    // without a tenant: an operator's right
    for function in ["cancel_jobs", "retry_jobs"] {
        let sql = format!("select status from fairclaim.{function}(null, array[$1::uuid])");
        refused(stage.producer.query(&sql, &[&foreign]).await, "JQ002");
        let operator = stage.db.operator().await;
        let row = operator.query_one(&sql, &[&foreign]).await.expect("an operator may");
        assert_eq!(
            row.get::<_, &str>(0),
            if function == "cancel_jobs" { "failed" } else { "pending" }
        );
    }
}

#[tokio::test]
async fn a_running_job_is_marked_and_its_worker_is_told() {
    let stage = Stage::set().await;
    // (what the worker makes of it, what becomes of the job): complete wins over the mark, a final failure stays one
    let table = [
        ("complete", Seen::ended("completed", 1)),
        ("fail", Seen::ended("failed", 1)),
        ("cancel", Seen::ended("cancelled", 1)),
        ("retry", Seen::ended("cancelled", 1)),
        ("snooze", Seen::ended("cancelled", 1)),
        ("release", Seen::ended("cancelled", 1)),
    ];
    for (outcome, wanted) in table {
        let id = stage.job(3).await;
        let job = stage.claim().await;
        assert_eq!(stage.extend(&job, "30 s").await, (true, false));
        assert_eq!(stage.change("cancel_jobs", &[id]).await, [status("processing")]);
        assert_eq!(stage.seen(id).await, Seen::waiting("processing", 1, 3, 0));
        assert_eq!(stage.extend(&job, "30 s").await, (true, true));
        let delay = matches!(outcome, "retry" | "snooze").then_some(5.0);
        assert_eq!(
            settle_after(&stage.worker, &job, outcome, delay).await,
            Settled::as_status(&wanted.status)
        );
        assert_eq!(stage.seen(id).await, wanted, "{outcome} of a marked job");
        stage.one_place_each().await;
    }
    let id = stage.job(3).await;
    let job = stage.claim().await;
    stage.change("cancel_jobs", &[id]).await;
    stage.later("36 s").await;
    assert_eq!(stage.seen(id).await, Seen::ended("cancelled", 1), "a lost lease of a marked job");
    assert_eq!(settle(&stage.worker, &job, "complete").await, Settled::REFUSED);
    stage.nothing_to_claim().await;
}
