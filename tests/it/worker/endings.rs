//! How a worker ends: when its queues are empty, or when it is told to.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use fairclaim::{Attempt, Client, Dispatch, JobError, Outcome, RawJob, State, Status};
use serde_json::json;

use super::stage::{Gauge, PATIENCE, Running, Stage, acme, job, millis};
use crate::support::waiting::until;

/// Dispatches the rest of its chain.
async fn chain(
    left: u32,
    _attempt: Attempt,
    State(producer): State<Client>,
) -> Result<(), JobError> {
    if left > 0 {
        producer.dispatch(Dispatch::raw(acme(), "chain", left - 1)?.queue("other")).await?;
    }
    Ok(())
}

async fn nothing(_job: RawJob, _attempt: Attempt) -> Result<(), JobError> {
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_ends_when_nothing_is_left_to_do() {
    let stage = Stage::new().await;
    stage.dispatch("chain", 10.into()).await;
    stage.dispatch_many("default", "nothing", 500).await;
    let later = stage.send(job("nothing", json!({})).delay(Duration::from_secs(3600))).await;
    let foreign = stage.send(job("nothing", json!({})).queue("foreign")).await;
    let worker = stage.worker().await.queue("default", 4).queue("other", 1).drain(true);
    let worker = worker.state(stage.producer.clone()).handler_for::<u32, _>("chain", chain);
    let report = Running::start(worker.handler_for("nothing", nothing)).ended().await;
    assert_eq!((report.claimed, report.completed), (511, 511));
    assert_eq!(stage.job(later).await.status, Status::Scheduled);
    assert_eq!(stage.job(foreign).await.status, Status::Pending);
}

/// Takes half a second, and fails when it is told to stop meanwhile.
async fn short(
    _job: RawJob,
    attempt: Attempt,
    State(gauge): State<Arc<Gauge>>,
) -> Result<(), JobError> {
    let _running = gauge.enter();
    tokio::time::sleep(millis(500)).await;
    if attempt.cancellation().is_cancelled() {
        return Err(JobError::fail("it was told to stop"));
    }
    Ok(())
}

async fn until_running(gauge: &Gauge, count: usize) {
    until("handlers run", PATIENCE, || async { (gauge.running() == count).then_some(()) }).await;
}

/// How many jobs have a status.
async fn count(stage: &Stage, status: Status) -> usize {
    let filter = fairclaim::JobFilter { status: Some(status), ..Default::default() };
    stage.operator.jobs(&filter).await.expect("jobs").jobs.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn within_the_grace_period_what_runs_is_finished_and_nothing_more_is_claimed() {
    let stage = Stage::new().await;
    stage.dispatch_many("default", "short", 60).await;
    let gauge = Arc::new(Gauge::default());
    let worker = stage.worker().await.queue("default", 3).grace(PATIENCE).state(Arc::clone(&gauge));
    let worker = Running::start(worker.handler_for("short", short));
    until_running(&gauge, 3).await;
    worker.tell();
    let report = worker.ended().await;
    assert_eq!((report.completed, report.released), (report.claimed, 0));
    assert!((3..60).contains(&report.claimed), "{report:?}");
    assert_eq!(count(&stage, Status::Processing).await, 0);
    assert_eq!(count(&stage, Status::Pending).await as u64, 60 - report.claimed);
}

/// First attempts run until they are told to stop, and end as their job says; later ones end at once.
async fn endless(
    how: String,
    attempt: Attempt,
    State(started): State<Arc<AtomicUsize>>,
) -> Result<Outcome, JobError> {
    if attempt.number() == 1 {
        started.fetch_add(1, SeqCst);
        attempt.cancellation().cancelled().await;
        match how.as_str() {
            "stubborn" => std::future::pending().await,
            "failing" => return Err(JobError::retry("interrupted")),
            _ => tokio::time::sleep(millis(1500)).await, // what it needs to stop
        }
    }
    let facts = json!({"left": attempt.attempts_left(), "of": attempt.max_attempts()});
    Ok(Outcome::CompleteWith(facts))
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_grace_period_the_rest_is_given_back_and_no_attempt_is_used_up() {
    let stage = Stage::new().await;
    let mut ids = Vec::new();
    for how in ["polite", "failing", "stubborn"] {
        ids.push(stage.dispatch("endless", how.into()).await);
    }
    let started = Arc::new(AtomicUsize::new(0));
    let worker = stage.worker().await.queue("default", 3).state(Arc::clone(&started));
    let worker = worker.grace(millis(200)).stop_within(Duration::from_secs(5));
    let worker = Running::start(worker.handler_for::<String, _>("endless", endless));
    until("all run", PATIENCE, || async { (started.load(SeqCst) == 3).then_some(()) }).await;
    let report = worker.stop().await;
    assert_eq!((report.completed, report.released, report.retried, report.lost), (1, 2, 0, 0));
    assert_eq!(stage.job(ids[0]).await.status, Status::Completed);
    for &id in &ids[1..] {
        let row = stage.job(id).await;
        assert_eq!((row.status, row.attempts, row.errors), (Status::Pending, 1, None));
    }

    let next = stage.worker().await.queue("default", 1).state(started).drain(true);
    Running::start(next.handler_for::<String, _>("endless", endless)).ended().await;
    for &id in &ids[1..] {
        let row = stage.job(id).await;
        assert_eq!((row.attempts, row.result), (2, Some(json!({"left": 25, "of": 25}))));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_refuses_to_start_without_its_role_or_the_schema() {
    let stage = Stage::new().await;
    let start = |client| {
        fairclaim::Worker::builder(client).queue("default", 1).handler_for("nothing", nothing)
    };
    let stranger = start(stage.db.client("test_stranger").await).build().expect("a worker");
    let error = stranger.run(std::future::pending()).await.expect_err("no role");
    assert_eq!(error.code(), Some("JQ007"), "{error}");
    let empty = crate::support::TestDb::empty().await;
    let early = start(empty.client("test_worker").await).build().expect("a worker");
    let error = early.run(std::future::pending()).await.expect_err("no schema");
    assert_eq!(error.code(), Some("JQ006"), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("fairclaim migrate")), "{error:?}");
}
