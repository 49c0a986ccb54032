//! Leases: kept while a job runs, noticed when they are lost, and what a cancelled job's handler hears.

use std::{sync::Arc, time::Duration};

use fairclaim::{Attempt, JobError, Outcome, RawJob, State, Status, WorkerBuilder};
use serde_json::json;
use tokio::sync::Semaphore;

use super::stage::{PATIENCE, Running, Stage, acme, job, millis, within};
use crate::support::waiting::until;

const SECOND: Duration = Duration::from_secs(1);

async fn sleep(seconds: u64, attempt: Attempt) -> Result<Outcome, JobError> {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    assert!(!attempt.cancellation().is_cancelled());
    Ok(Outcome::Complete)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heartbeat_keeps_a_job_that_runs_for_longer_than_its_lease() {
    let stage = Stage::new().await;
    let id = stage.dispatch("sleep", 5.into()).await;
    let worker = |builder: WorkerBuilder| {
        let builder = builder.lease(SECOND).queue("default", 2);
        Running::start(builder.handler_for::<u64, _>("sleep", sleep))
    };
    let first = worker(stage.worker().await.worker_id("first"));
    stage.until(id, Status::Processing).await;
    // its ticks return every expired lease, and it would take the job
    let idle = worker(stage.worker().await.worker_id("idle"));
    let row = stage.until(id, Status::Completed).await;
    assert_eq!((row.attempts, row.worker_id.as_deref()), (1, Some("first")));
    assert_eq!(idle.stop().await.claimed, 0);
    let report = first.stop().await;
    assert_eq!((report.claimed, report.completed, report.lost), (1, 1, 0));
}

/// Who waits for what.
#[derive(Debug)]
struct Gate {
    /// Gets a permit when the first attempt has started.
    started: Semaphore,
    /// Gets one when its token was cancelled.
    told: Semaphore,
    /// Lets it end.
    end: Semaphore,
}

impl Gate {
    fn new() -> Arc<Self> {
        let closed = || Semaphore::new(0);
        Arc::new(Self { started: closed(), told: closed(), end: closed() })
    }
}

/// The first attempt ends when it is told to stop and the test lets it; later ones at once.
async fn until_told(
    _job: RawJob,
    attempt: Attempt,
    State(gate): State<Arc<Gate>>,
) -> Result<Outcome, JobError> {
    if attempt.number() == 1 {
        gate.started.add_permits(1);
        attempt.cancellation().cancelled().await;
        gate.told.add_permits(1);
        gate.end.acquire().await?.forget();
    }
    Ok(Outcome::CompleteWith(attempt.number().into()))
}

/// The first attempt ends when the test lets it, whatever it is told.
async fn until_let(
    _job: RawJob,
    attempt: Attempt,
    State(gate): State<Arc<Gate>>,
) -> Result<Outcome, JobError> {
    if attempt.number() == 1 {
        gate.started.add_permits(1);
        gate.end.acquire().await?.forget();
    }
    Ok(Outcome::CompleteWith(attempt.number().into()))
}

/// Waits until a worker knows that it lost a lease.
async fn until_lost(worker: &Running) {
    until("the loss is noticed", PATIENCE, || async {
        (worker.handle.report().lost == 1).then_some(())
    })
    .await;
}

async fn wait(semaphore: &Semaphore) {
    within("a handler gets there", semaphore.acquire()).await.expect("open").forget();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_whose_lease_was_lost_is_told_to_stop_and_its_end_changes_nothing() {
    let (stage, gate) = (Stage::new().await, Gate::new());
    let id = stage.dispatch("job", json!({})).await;
    let worker = |builder: WorkerBuilder| {
        let builder = builder.lease(2 * SECOND).queue("default", 1).state(Arc::clone(&gate));
        Running::start(builder.handler_for("job", until_told))
    };
    let first = worker(stage.worker().await.worker_id("first"));
    wait(&gate.started).await;
    stage.expire(id).await;
    let second = worker(stage.worker().await.worker_id("second"));
    let row = stage.until(id, Status::Completed).await;
    assert_eq!((row.attempts, row.worker_id.as_deref()), (2, Some("second")));
    wait(&gate.told).await;
    until_lost(&first).await; // while its handler still runs
    gate.end.add_permits(1);
    let report = first.stop().await;
    assert_eq!((report.claimed, report.completed, report.lost), (1, 0, 1));
    stage.assert_unchanged(&row).await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_settlement_that_comes_too_late_is_refused_and_not_repeated() {
    let (stage, gate) = (Stage::new().await, Gate::new());
    let id = stage.dispatch("job", json!({})).await;
    // a lease so long that no heartbeat looks before the handler has ended
    let worker = stage.worker().await.lease(600 * SECOND).queue("default", 2);
    let worker = worker.state(Arc::clone(&gate)).handler_for("job", until_let);
    let worker = Running::start(worker);
    wait(&gate.started).await;
    stage.expire(id).await;
    let row = stage.until(id, Status::Completed).await;
    assert_eq!((row.attempts, row.result.clone()), (2, Some(json!(2))));
    gate.end.add_permits(1);
    until_lost(&worker).await;
    tokio::time::sleep(millis(300)).await; // a repetition would come within milliseconds
    let report = worker.stop().await;
    assert_eq!((report.completed, report.lost, report.call_failures), (1, 1, 0));
    assert_eq!(report.settlements, 2, "one for each attempt");
    stage.assert_unchanged(&row).await;
}

/// Ends as its payload says when it is told to stop.
async fn when_cancelled(
    how: String,
    attempt: Attempt,
    State(gate): State<Arc<Gate>>,
) -> Result<Outcome, JobError> {
    gate.started.add_permits(1);
    attempt.cancellation().cancelled().await;
    match how.as_str() {
        "complete" => Ok(Outcome::Complete),
        "cancel" => Ok(Outcome::Cancel("as you wish".into())),
        "snooze" => Ok(Outcome::Snooze(SECOND)),
        _ => Err(JobError::retry("stopped")),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_a_running_job_reaches_its_handler() {
    let (stage, gate) = (Stage::new().await, Gate::new());
    let untouched = stage.dispatch("job", "complete".into()).await;
    let mut ids = Vec::new();
    for how in ["complete", "cancel", "snooze", "retry"] {
        ids.push(stage.dispatch("job", how.into()).await);
    }
    let worker = stage.worker().await.lease(SECOND).queue("default", 5).state(Arc::clone(&gate));
    let worker =
        Running::start(worker.grace(millis(500)).handler_for::<String, _>("job", when_cancelled));
    for _ in 0..5 {
        wait(&gate.started).await;
    }
    let changed = stage.producer.cancel(Some(acme()), &ids).await.expect("cancel");
    assert_eq!(changed.iter().map(|job| job.id).collect::<Vec<_>>(), ids);
    assert!(changed.iter().all(|job| job.status == Some(Status::Processing)), "{changed:?}");
    stage.until(ids[0], Status::Completed).await; // done is done
    stage.until_all(&ids[1..], Status::Cancelled).await;
    assert_eq!(stage.job(untouched).await.status, Status::Processing);
    let report = worker.stop().await;
    assert_eq!((report.cancelled, report.retried, report.snoozed), (3, 0, 0));
}

/// The next heartbeat would come in ten minutes.
#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_is_heard_at_once_by_who_listens_and_with_the_next_answer_by_who_does_not() {
    for (listens, slots) in [(true, 1), (false, 2)] {
        let (stage, gate) = (Stage::new().await, Gate::new());
        let id = stage.dispatch("job", "complete".into()).await;
        let worker = stage.worker().await.lease(3600 * SECOND).queue("default", slots);
        let worker = worker.listen(listens).state(Arc::clone(&gate));
        let worker = Running::start(worker.handler_for::<String, _>("job", when_cancelled));
        wait(&gate.started).await;
        if listens {
            let superuser = stage.db.superuser_here().await;
            let sql = "select from pg_stat_activity where datname = current_database() and query = 'listen fairclaim'";
            until("it listens", PATIENCE, || async {
                superuser.query_opt(sql, &[]).await.expect(sql)
            })
            .await;
        }
        stage.producer.cancel(Some(acme()), &[id]).await.expect("cancel");
        stage.until(id, Status::Completed).await;
        worker.stop().await;
    }
}

/// The first attempt gives up when it is told to stop, as a well-behaved handler does.
async fn give_up_when_told(
    _job: RawJob,
    attempt: Attempt,
    State(gate): State<Arc<Gate>>,
) -> Result<(), JobError> {
    if attempt.number() == 1 {
        gate.started.add_permits(1);
        attempt.cancellation().cancelled().await;
        gate.told.add_permits(1);
        return Err(JobError::retry("told to stop"));
    }
    assert_eq!(attempt.attempts_left(), attempt.max_attempts(), "none is used up");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_of_a_handler_that_an_outage_stopped_uses_no_attempt_up() {
    let (stage, gate) = (Stage::new().await, Gate::new());
    let id = stage.send(job("job", json!({})).max_attempts(1)).await;
    let worker = stage.worker().await.lease(6 * SECOND).queue("default", 1);
    let worker = worker.state(Arc::clone(&gate)).handler_for("job", give_up_when_told);
    let worker = Running::start(worker);
    wait(&gate.started).await;
    let owner = stage.db.owner().await;
    // what an outage is to a heartbeat
    let of_heartbeat = "execute on function fairclaim.extend_leases";
    let revoked = format!("revoke {of_heartbeat} from fairclaim_worker");
    owner.batch_execute(&revoked).await.expect("revoke");
    wait(&gate.told).await;
    let granted = format!("grant {of_heartbeat} to fairclaim_worker");
    owner.batch_execute(&granted).await.expect("grant");
    let row = stage.until(id, Status::Completed).await;
    assert_eq!(row.attempts, 2);
    let report = worker.stop().await;
    assert_eq!((report.completed, report.retried, report.failed), (1, 0, 0));
}
