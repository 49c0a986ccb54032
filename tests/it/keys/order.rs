//! In which order the jobs of a key run.

use crate::calls::{dispatch_batch, settle, settle_after, tenant};
use serde_json::json;

use super::Stage;

#[tokio::test]
async fn jobs_of_a_key_run_one_at_a_time_in_the_order_of_their_dispatch() {
    let stage = Stage::new().await;
    let mut sent = Vec::new();
    for round in 0..4 {
        sent.push(stage.job("a").await);
        let job = |n: i32| json!({"tenant_id": tenant(1), "type": "import", "key": "a", "priority": n, "queue": "q"});
        sent.extend(dispatch_batch(&stage.producer, &[job(round), job(-round), job(9)]).await);
    }
    let mut ran = Vec::new();
    while let Some(job) = stage.claim().await.pop() {
        ran.push(job.id);
        assert!(stage.claim().await.is_empty(), "one at a time");
        assert!(settle(&stage.worker, &job, "complete").await.accepted);
    }
    assert_eq!(ran, sent);
    stage.expect_nothing_left().await;
}

#[tokio::test]
async fn a_job_that_waits_for_a_retry_lets_the_next_one_go_and_is_next_when_it_is_due() {
    let stage = Stage::new().await;
    let (first, second, third) = (stage.job("a").await, stage.job("a").await, stage.job("a").await);
    let job = stage.one().await;
    assert_eq!(job.id, first);
    settle_after(&stage.worker, &job, "retry", Some(2.0)).await;
    let job = stage.one().await;
    assert_eq!(job.id, second);
    stage.db.advance("5 s").await;
    assert!(stage.claim().await.is_empty(), "it is due, and the second one runs");
    settle(&stage.worker, &job, "complete").await;
    let job = stage.one().await;
    assert_eq!((job.id, job.attempts), (first, 2));
    settle_after(&stage.worker, &job, "snooze", Some(2.0)).await;
    assert_eq!(stage.ids().await, [third]);
}

#[tokio::test]
async fn a_job_that_keeps_its_order_is_overtaken_by_nobody_while_it_waits_for_its_retry() {
    let stage = Stage::new().await;
    let (first, second) = (stage.ordered("a").await, stage.job("a").await);
    for (outcome, delay) in [("retry", 30.0), ("snooze", 30.0)] {
        let job = stage.one().await;
        assert_eq!(job.id, first);
        settle_after(&stage.worker, &job, outcome, Some(delay)).await;
        for _ in 0..5 {
            assert!(stage.claim().await.is_empty(), "{outcome}");
        }
        stage.db.advance("40 s").await;
    }
    let job = stage.one().await;
    assert_eq!((job.id, job.attempts), (first, 3));
    settle(&stage.worker, &job, "complete").await;
    assert_eq!(stage.ids().await, [second]);
}

#[tokio::test]
async fn a_job_that_is_given_back_stays_the_first_of_its_key() {
    let stage = Stage::new().await;
    let (first, _second) = (stage.job("a").await, stage.job("a").await);
    for outcome in ["release", "retry"] {
        let job = stage.one().await;
        assert_eq!(job.id, first);
        let delay = (outcome == "retry").then_some(0.0);
        assert!(settle_after(&stage.worker, &job, outcome, delay).await.accepted);
    }
    let lost = stage.one().await; // its worker dies
    stage.db.advance("6 min").await;
    stage.tick().await;
    stage.db.advance("6 s").await;
    let again = stage.one().await;
    assert_eq!((again.id, again.lost), (lost.id, 1));
}

#[tokio::test]
async fn a_job_that_keeps_its_order_runs_alone_whatever_the_limit_of_its_key() {
    let stage = Stage::new().await;
    stage.limit("a", Some(3)).await;
    let (first, second) = (stage.job("a").await, stage.job("a").await);
    let ordered = stage.ordered("a").await;
    let last = stage.job("a").await;
    let jobs = stage.claim().await;
    assert_eq!(jobs.iter().map(|job| job.id).collect::<Vec<_>>(), [first, second]);
    settle(&stage.worker, &jobs[0], "complete").await;
    assert!(stage.claim().await.is_empty(), "another one of the key runs");
    settle(&stage.worker, &jobs[1], "complete").await;
    let job = stage.one().await;
    assert_eq!(job.id, ordered);
    settle(&stage.worker, &job, "complete").await;
    assert_eq!(stage.ids().await, [last]);
}
