//! A worker with nothing to do: it sends nothing, and misses nothing.

use std::time::Duration;

use fairclaim::{Attempt, JobError, RawJob, Status, Worker, WorkerBuilder};
use serde_json::json;

use super::stage::{PATIENCE, Running, Stage, job};
use crate::{notify::Listener, support::waiting::until};

/// Longer than the pauses of any worker that polls once a second.
const QUIET: Duration = Duration::from_secs(4);

async fn nothing(_job: RawJob, _attempt: Attempt) -> Result<(), JobError> {
    Ok(())
}

/// A worker as it is by default, on connections of its own, in the queue of these tests.
async fn worker(stage: &Stage) -> WorkerBuilder {
    let client = stage.db.direct_client("test_worker").await;
    Worker::builder(client).queue("default", 2).handler_for("nothing", nothing)
}

/// Waits until no session of a worker in this database has begun or ended a statement for a while.
async fn until_quiet(stage: &Stage) {
    let superuser = stage.db.superuser().await;
    let sql =
        "select coalesce(min(extract(epoch from clock_timestamp() - a.state_change)), 0)::float8
                 from pg_stat_activity a where a.datname = $1 and a.usename = 'test_worker'";
    until("the worker is quiet", PATIENCE, || async {
        let quiet: f64 =
            superuser.query_one(sql, &[&stage.db.name()]).await.expect("sessions").get(0);
        (quiet > QUIET.as_secs_f64()).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_workers_send_nothing_for_longer_and_longer_and_the_first_dispatch_wakes_them() {
    let stage = Stage::new().await;
    let long = worker(&stage).await.poll_interval(Duration::from_secs(60));
    let workers = [Running::start(worker(&stage).await), Running::start(long)];
    until_quiet(&stage).await;
    let mut listener = Listener::new(&stage.db).await;
    let before: u64 = workers.iter().map(|worker| worker.handle.report().claims).sum();
    let id = stage.dispatch("nothing", json!({})).await;
    stage.until(id, Status::Completed).await;
    assert_eq!(listener.told().await, (1, 0), "it woke them");
    until_quiet(&stage).await;
    let claims: u64 = workers.iter().map(|worker| worker.handle.report().claims).sum();
    // one by each that was woken, one with the settlement; one more where a wake and a poll met
    assert!(claims - before <= 5, "{} claims for one job", claims - before);
    for worker in workers {
        worker.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delayed_job_is_promoted_in_time_although_everybody_sleeps() {
    let stage = Stage::new().await;
    let worker = Running::start(worker(&stage).await);
    until_quiet(&stage).await;
    let mut listener = Listener::new(&stage.db).await;
    let id = stage.send(job("nothing", json!({})).delay(Duration::from_secs(2))).await;
    assert_eq!(listener.told().await, (0, 1), "they learn of it");
    stage.until(id, Status::Completed).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_ends_while_everybody_sleeps_is_returned() {
    let stage = Stage::new().await;
    let worker = Running::start(worker(&stage).await);
    until_quiet(&stage).await;
    // a job that only the worker who dies would take
    let id = stage.send(job("other", json!({}))).await;
    until_quiet(&stage).await;
    let mut listener = Listener::new(&stage.db).await;
    let session = stage.db.worker().await;
    let claim = "select count(*) from fairclaim.claim_jobs('dies', null, 1, p_lease => 2)";
    assert_eq!(session.query_one(claim, &[]).await.expect("claim_jobs").get::<_, i64>(0), 1);
    assert_eq!(listener.told().await, (0, 1), "they learn of its lease");
    let waits = stage.until(id, Status::Pending).await;
    assert_eq!(waits.attempts, 1);
    worker.stop().await;
}
