//! Sleep: no connection, until something is due or somebody wakes the worker.

use std::time::Duration;

use fairclaim::{Attempt, JobError, RawJob, Status, Worker};
use serde_json::json;

use super::stage::{PATIENCE, Running, Stage, job};
use crate::support::{Client, waiting::until};

async fn nothing(_job: RawJob, _attempt: Attempt) -> Result<(), JobError> {
    Ok(())
}

/// A worker that sleeps after a second, on connections of its own.
async fn worker(stage: &Stage) -> Running {
    let client = stage.db.direct_client("test_worker").await;
    let builder = Worker::builder(client).queue("default", 2).handler_for("nothing", nothing);
    Running::start(builder.sleep_after(Duration::from_secs(1)))
}

/// How many sessions the worker has.
async fn sessions(stage: &Stage, superuser: &Client) -> i64 {
    let sql = "select count(*) from pg_stat_activity a where a.datname = $1 and a.usename = 'test_worker'";
    superuser.query_one(sql, &[&stage.db.name()]).await.expect("pg_stat_activity").get(0)
}

async fn until_asleep(stage: &Stage, superuser: &Client) {
    until("the worker sleeps", PATIENCE, || async {
        (sessions(stage, superuser).await == 0).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_sleeps_has_no_connection_until_it_is_woken() {
    let stage = Stage::new().await;
    let superuser = stage.db.superuser().await;
    let worker = worker(&stage).await;
    for _ in 0..2 {
        until_asleep(&stage, &superuser).await;
        let claims = worker.handle.report().claims;
        let id = stage.dispatch("nothing", json!({})).await;
        assert_eq!(sessions(&stage, &superuser).await, 0, "a dispatch alone wakes nobody");
        assert_eq!(worker.handle.report().claims, claims);
        worker.handle.wake();
        stage.until(id, Status::Completed).await;
    }
    until_asleep(&stage, &superuser).await;
    assert_eq!(worker.stop().await.completed, 2, "and it can be stopped in its sleep");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_sleeps_wakes_when_a_job_is_due_or_a_lease_ends() {
    let stage = Stage::new().await;
    let superuser = stage.db.superuser().await;
    let worker = worker(&stage).await;
    let delayed = stage.send(job("nothing", json!({})).delay(Duration::from_secs(6))).await;
    until_asleep(&stage, &superuser).await;
    assert_eq!(stage.job(delayed).await.status, Status::Scheduled);
    stage.until(delayed, Status::Completed).await;

    let lost = stage.send(job("other", json!({}))).await;
    let claim = "select count(*) from fairclaim.claim_jobs('dies', null, 1, p_lease => 6)";
    let session = stage.db.owner().await;
    assert_eq!(session.query_one(claim, &[]).await.expect("claim_jobs").get::<_, i64>(0), 1);
    until_asleep(&stage, &superuser).await;
    assert_eq!(stage.job(lost).await.status, Status::Processing);
    stage.until(lost, Status::Pending).await;
    worker.stop().await;
}
