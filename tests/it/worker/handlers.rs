//! What a handler may be, what it is told, and whom it takes along when it breaks: nobody.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering::SeqCst},
    },
    time::Duration,
};

use fairclaim::{Attempt, Job, JobError, Outcome, RawJob, State, Status};
use serde_json::{Value, json};

use super::stage::{Running, Stage, acme, job, millis};

#[derive(serde::Serialize, serde::Deserialize)]
struct Sum {
    left: i64,
    right: i64,
}

impl Job for Sum {
    const TYPE: &'static str = "sum";
}

async fn sum(job: Sum, _attempt: Attempt) -> Result<Outcome, JobError> {
    Ok(Outcome::CompleteWith((job.left + job.right).into()))
}

async fn echo(job: RawJob, _attempt: Attempt) -> Result<Outcome, JobError> {
    Ok(Outcome::CompleteWith(serde_json::from_str(job.payload.get())?))
}

async fn add(
    by: i64,
    _attempt: Attempt,
    State(total): State<Arc<AtomicI64>>,
) -> Result<(), std::io::Error> {
    total.fetch_add(by, SeqCst);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn typed_raw_and_stateful_handlers_each_run_the_jobs_of_their_type() {
    let stage = Stage::new().await;
    let summed = stage.dispatch("sum", json!({"left": 40, "right": 2})).await;
    let echoed = stage.dispatch("echo", json!([1, {"two": "zwei"}])).await;
    let added = [stage.dispatch("add", 7.into()).await, stage.dispatch("add", 8.into()).await];
    let total = Arc::new(AtomicI64::new(0));
    let worker = stage.worker().await.queue("default", 4).state(Arc::clone(&total)).drain(true);
    let worker = worker.handler(sum).handler_for("echo", echo).handler_for::<i64, _>("add", add);
    assert_eq!(Running::start(worker).ended().await.completed, 4);
    assert_eq!(stage.job(summed).await.result, Some(json!(42)));
    assert_eq!(stage.job(echoed).await.result, Some(json!([1, {"two": "zwei"}])));
    assert_eq!(total.load(SeqCst), 15);
    stage.until_all(&added, Status::Completed).await;
}

async fn describe(_job: RawJob, attempt: Attempt) -> Result<Outcome, JobError> {
    if attempt.number() == 1 {
        return Err(JobError::retry_after("once more", Duration::ZERO));
    }
    Ok(Outcome::CompleteWith(json!({
        "id": attempt.id(),
        "tenant": attempt.tenant_id(),
        "queue": attempt.queue(),
        "type": attempt.job_type(),
        "number": attempt.number(),
        "max_attempts": attempt.max_attempts(),
        "attempts_left": attempt.attempts_left(),
        "metadata": attempt.metadata(),
        "worker_id": attempt.worker_id(),
        "has_deadline": attempt.deadline().is_some(),
        "cancelled": attempt.cancellation().is_cancelled(),
    })))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_knows_its_job() {
    let stage = Stage::new().await;
    let dispatch = job("describe", json!(null)).queue("eu:mail").max_attempts(5);
    let id = stage.send(dispatch.metadata("trace", "t-1").timeout(Duration::from_secs(60))).await;
    let worker = stage.worker().await.worker_id("w-7").queue("eu:mail", 1);
    let worker = Running::start(worker.handler_for("describe", describe));
    let row = stage.until(id, Status::Completed).await;
    worker.stop().await;
    let told = json!({
        "id": id, "tenant": acme(), "queue": "eu:mail", "type": "describe", "number": 2, "max_attempts": 5,
        "attempts_left": 4, "metadata": {"trace": "t-1"}, "worker_id": "w-7", "has_deadline": true, "cancelled": false,
    });
    assert_eq!(row.result, Some(told));
    assert_eq!((row.attempts, row.worker_id.as_deref()), (2, Some("w-7")));
}

/// The error of a job's only failed attempt.
fn only_error(row: &fairclaim::JobRow) -> Value {
    let errors = row.errors.as_ref().and_then(Value::as_array).expect("errors");
    assert_eq!(errors.len(), 1, "{errors:?}");
    errors[0]["error"].clone()
}

/// Panics when it is called, before there is a future.
fn panic_at_once(_job: RawJob, _attempt: Attempt) -> impl Future<Output = Result<(), JobError>> {
    assert!(std::hint::black_box(false), "at once");
    async { Ok(()) }
}

async fn panic_later(_job: RawJob, _attempt: Attempt) -> Result<(), JobError> {
    tokio::task::yield_now().await;
    panic!("later")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_or_an_unreadable_payload_fails_that_attempt_only() {
    let stage = Stage::new().await;
    let at_once = stage.dispatch("at_once", json!({})).await;
    let later = stage.dispatch("later", json!({})).await;
    let unreadable = stage.dispatch("sum", json!({"left": "secret-4711", "right": 1})).await;
    let mut neighbours = Vec::new();
    for n in 0..20 {
        neighbours.push(stage.dispatch("sum", json!({"left": n, "right": 1})).await);
    }
    // one slot: if it ended with a panic, the neighbours would wait forever
    let worker = stage.worker().await.queue("default", 1).drain(true).handler(sum);
    let worker = worker.handler_for("at_once", panic_at_once).handler_for("later", panic_later);
    let report = Running::start(worker).ended().await;
    assert_eq!((report.completed, report.retried, report.panicked), (20, 3, 2));
    stage.until_all(&neighbours, Status::Completed).await;
    for (id, text) in [(at_once, "at once"), (later, "later")] {
        let row = stage.job(id).await;
        assert_eq!((row.status, row.attempts), (Status::Scheduled, 1));
        let message = format!("the handler panicked: {text}");
        assert_eq!(only_error(&row), json!({"code": "panic", "message": message}));
    }
    let row = stage.job(unreadable).await;
    assert_eq!((row.status, row.attempts), (Status::Scheduled, 1));
    let error = only_error(&row);
    assert_eq!(error["code"], "bad_payload");
    assert!(!error.to_string().contains("secret"), "{error}");
}

/// Its future lives until it is dropped, and then panics.
async fn panic_when_dropped(_job: RawJob, _attempt: Attempt) -> Result<(), JobError> {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    let _bomb = Bomb;
    std::future::pending().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_future_that_panics_when_it_is_dropped_fails_that_attempt_only() {
    let stage = Stage::new().await;
    let bomb = stage.send(job("bomb", json!({})).timeout(millis(50))).await;
    let neighbour = stage.dispatch("sum", json!({"left": 1, "right": 1})).await;
    let worker = stage.worker().await.queue("default", 1).drain(true).handler(sum);
    let worker = Running::start(worker.handler_for("bomb", panic_when_dropped));
    assert_eq!(worker.ended().await.completed, 1);
    stage.until(neighbour, Status::Completed).await;
    let row = stage.job(bomb).await;
    assert_eq!((row.status, row.attempts), (Status::Scheduled, 1));
    assert_eq!(only_error(&row)["code"], "panic");
}

#[tokio::test(flavor = "multi_thread")]
async fn types_without_a_handler_are_never_claimed() {
    let stage = Stage::new().await;
    let unknown = stage.dispatch_many("default", "unknown", 20).await;
    let known = stage.dispatch_many("default", "echo", 20).await;
    let worker = stage.worker().await.queue("default", 2).drain(true).handler_for("echo", echo);
    assert_eq!(Running::start(worker).ended().await.claimed, 20);
    stage.until_all(&known, Status::Completed).await;
    for id in unknown {
        let row = stage.job(id).await;
        assert_eq!((row.status, row.attempts, row.worker_id), (Status::Pending, 0, None));
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Hasty {}

impl Job for Hasty {
    const TYPE: &'static str = "hasty";
    const TIMEOUT: Option<Duration> = Some(millis(100));
}

/// Says whether its future was dropped.
async fn hang<J>(
    _job: J,
    attempt: Attempt,
    State(dropped): State<Arc<AtomicBool>>,
) -> Result<(), JobError> {
    struct Noted(Arc<AtomicBool>);
    impl Drop for Noted {
        fn drop(&mut self) {
            self.0.store(true, SeqCst);
        }
    }
    let _noted = Noted(dropped);
    assert!(attempt.deadline().is_some());
    std::future::pending().await
}

/// Runs one job that hangs; it must end by its time-out.
async fn times_out(
    dispatch: fairclaim::Dispatch,
    seconds: &str,
    attempt_timeout: Option<Duration>,
) {
    let stage = Stage::new().await;
    let id = stage.send(dispatch).await;
    let dropped = Arc::new(AtomicBool::new(false));
    let mut worker = stage.worker().await.queue("default", 1).drain(true);
    if let Some(timeout) = attempt_timeout {
        worker = worker.attempt_timeout(timeout);
    }
    let worker = worker.state(Arc::clone(&dropped)).handler(hang::<Hasty>);
    let report = Running::start(worker.handler_for("hang", hang::<RawJob>)).ended().await;
    assert_eq!((report.timed_out, report.retried), (1, 1));
    assert!(dropped.load(SeqCst));
    let row = stage.job(id).await;
    assert_eq!((row.status, row.attempts), (Status::Scheduled, 1));
    let message = format!("no end within {seconds} s");
    assert_eq!(only_error(&row), json!({"code": "timeout", "message": message}));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_exceeds_the_time_of_its_job_is_dropped_and_tried_again() {
    times_out(job("hasty", json!({})).timeout(millis(250)), "0.25", Some(millis(70))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_without_a_time_out_gets_the_one_of_its_type() {
    times_out(job("hasty", json!({})), "0.1", Some(millis(70))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_type_without_a_time_out_gets_the_one_of_the_worker() {
    times_out(job("hang", json!({})), "0.07", Some(millis(70))).await;
}

async fn nap(_job: RawJob, _attempt: Attempt) -> Result<(), JobError> {
    tokio::time::sleep(millis(500)).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_out_ends_only_its_own_attempt() {
    let stage = Stage::new().await;
    let hasty = stage.send(job("nap", json!({})).timeout(millis(50))).await;
    let calm = stage.send(job("nap", json!({})).timeout(Duration::from_secs(60))).await;
    let worker = stage.worker().await.queue("default", 2).attempt_timeout(millis(50)).drain(true);
    let report = Running::start(worker.handler_for("nap", nap)).ended().await;
    assert_eq!((report.completed, report.timed_out), (1, 1));
    assert_eq!(stage.job(calm).await.status, Status::Completed);
    assert_eq!(stage.job(hasty).await.status, Status::Scheduled);
}
