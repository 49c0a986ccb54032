//! `Attempt::complete_in`: the job completes in the handler's own transaction, or not at all.

use std::{sync::Arc, time::Duration};

use fairclaim::{Attempt, Client, JobError, Outcome, State, Status};
use serde_json::json;
use tokio::sync::Semaphore;

use super::stage::{Running, Stage, within};

/// What the handlers of these tests work with.
struct App {
    client: Client,
    /// A permit for every handler that has reached the place where it waits.
    reached: Semaphore,
    /// A permit for every handler that may go on.
    go: Semaphore,
}

impl App {
    async fn new(stage: &Stage) -> Arc<Self> {
        stage.create_effects().await;
        Arc::new(Self {
            client: stage.db.client("test_worker").await,
            reached: Semaphore::new(0),
            go: Semaphore::new(0),
        })
    }

    /// The handler waits for the test.
    async fn wait(&self) {
        self.reached.add_permits(1);
        self.go.acquire().await.expect("open").forget();
    }

    /// The test waits for a handler.
    async fn until_reached(&self) {
        within("a handler gets there", self.reached.acquire()).await.expect("open").forget();
    }
}

/// Writes a row and completes the job in one transaction, or does with it what the payload says.
async fn record(
    how: String,
    attempt: Attempt,
    State(app): State<Arc<App>>,
) -> Result<Outcome, JobError> {
    let mut connection = app.client.pool().get().await?;
    let mut transaction = connection.build_transaction().start().await?;
    let insert = "insert into app.effect values ($1, $2)";
    transaction.execute(insert, &[&attempt.id(), &attempt.number()]).await?;
    let last = attempt.number() > 1;
    if how == "late" && !last {
        app.wait().await;
    }
    let outcome =
        attempt.complete_in(&mut transaction, Some(json!({"by": attempt.number()}))).await?;
    match how.as_str() {
        "slow" => app.wait().await,
        "roll_back" => {
            transaction.rollback().await?;
            return Ok(Outcome::CompleteWith("without a transaction".into()));
        }
        "fail_once" if !last => {
            transaction.rollback().await?;
            return Err(JobError::retry_after("rolled back", Duration::ZERO));
        }
        _ => {}
    }
    transaction.commit().await?;
    Ok(outcome)
}

async fn start(stage: &Stage, app: &Arc<App>) -> Running {
    let worker = stage.worker().await.queue("default", 2).state(Arc::clone(app));
    Running::start(worker.handler_for::<String, _>("record", record))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_handler_did_and_that_it_is_done_commit_together() {
    let stage = Stage::new().await;
    let app = App::new(&stage).await;
    let id = stage.dispatch("record", "slow".into()).await;
    let worker = start(&stage, &app).await;
    app.until_reached().await;
    assert_eq!(stage.job(id).await.status, Status::Processing);
    assert_eq!(stage.effects().await, []);
    app.go.add_permits(1);
    let row = stage.until(id, Status::Completed).await;
    assert_eq!((row.result, stage.effects().await), (Some(json!({"by": 1})), vec![(id, 1)]));
    let report = worker.stop().await;
    assert_eq!((report.completed, report.lost, report.settlements), (1, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_rollback_the_attempt_settles_as_any_other() {
    let stage = Stage::new().await;
    let app = App::new(&stage).await;
    let id = stage.dispatch("record", "roll_back".into()).await;
    let worker = start(&stage, &app).await;
    let row = stage.until(id, Status::Completed).await;
    assert_eq!((row.attempts, row.result), (1, Some("without a transaction".into())));
    assert_eq!(stage.effects().await, []);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_rollback_and_an_error_the_next_attempt_does_the_work_once() {
    let stage = Stage::new().await;
    let app = App::new(&stage).await;
    let id = stage.dispatch("record", "fail_once".into()).await;
    let worker = start(&stage, &app).await;
    let row = stage.until(id, Status::Completed).await;
    assert_eq!((row.attempts, row.result), (2, Some(json!({"by": 2}))));
    assert_eq!(stage.effects().await, [(id, 2)]);
    let report = worker.stop().await;
    assert_eq!((report.retried, report.completed), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_lost_its_lease_cannot_complete_in_its_transaction() {
    let stage = Stage::new().await;
    let app = App::new(&stage).await;
    let id = stage.dispatch("record", "late".into()).await;
    let worker = start(&stage, &app).await;
    app.until_reached().await;
    stage.expire(id).await;
    let row = stage.until(id, Status::Completed).await;
    assert_eq!((row.attempts, row.result.clone()), (2, Some(json!({"by": 2}))));
    // the first one writes its row before it learns that it is too late
    app.go.add_permits(1);
    let report = worker.stop().await;
    assert_eq!((report.claimed, report.completed, report.lost), (2, 1, 1));
    assert_eq!(stage.effects().await, [(id, 2)]);
    stage.assert_unchanged(&row).await;
}

/// Tries to complete in a transaction after the lease is lost, and hands the error to the test.
async fn probe(
    _job: (),
    attempt: Attempt,
    State(app): State<Arc<App>>,
) -> Result<Outcome, JobError> {
    if attempt.number() > 1 {
        return Ok(Outcome::Complete);
    }
    app.wait().await;
    let mut connection = app.client.pool().get().await?;
    let mut transaction = connection.build_transaction().start().await?;
    let error = attempt.complete_in(&mut transaction, None).await.expect_err("the lease is lost");
    assert_eq!(error.code(), Some("JQ001"));
    assert!(error.hint().is_some_and(|hint| hint.contains("roll this transaction back")));
    assert!(error.to_string().contains(&attempt.id().to_string()));
    transaction.rollback().await?;
    app.reached.add_permits(1);
    Err(error.into())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_lease_is_a_typed_error_of_complete_in() {
    let stage = Stage::new().await;
    let app = App::new(&stage).await;
    let id = stage.dispatch("probe", json!(null)).await;
    let worker = stage.worker().await.queue("default", 2).state(Arc::clone(&app));
    let worker = Running::start(worker.handler_for::<(), _>("probe", probe));
    app.until_reached().await;
    stage.expire(id).await;
    app.go.add_permits(1);
    app.until_reached().await; // past all of its assertions
    assert_eq!(stage.until(id, Status::Completed).await.attempts, 2);
    assert_eq!(worker.stop().await.panicked, 0);
}
