//! What a worker needs of its login: told at the start, and in the log when it is taken away later.

use fairclaim::{Client, Error, ErrorKind, Worker, WorkerBuilder};

use super::stage::{PATIENCE, Running, Stage, job, millis, within};
use super::traces::Recorder;
use crate::support::waiting::until;

async fn nothing(
    _job: fairclaim::RawJob,
    _attempt: fairclaim::Attempt,
) -> Result<(), fairclaim::JobError> {
    Ok(())
}

fn draining(client: Client) -> WorkerBuilder {
    Worker::builder(client).queue("default", 1).drain(true).handler_for("nothing", nothing)
}

/// What a worker ends with that cannot start.
async fn refused(client: Client) -> Error {
    let worker = draining(client).build().expect("a worker");
    within("it ends", worker.run(std::future::pending())).await.expect_err("it cannot work")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_login_may_not_work_ends_at_once_and_says_what_to_grant() {
    let stage = Stage::new().await;
    let owner = stage.db.owner().await;
    for login in ["test_producer", "test_operator", "test_worker"] {
        if login == "test_worker" {
            // one function of several is missing
            let revoked =
                "revoke execute on function fairclaim.extend_leases from fairclaim_worker";
            owner.batch_execute(revoked).await.expect("revoke");
        }
        let error = refused(stage.db.client(login).await).await;
        assert_eq!(error.kind(), ErrorKind::PrivilegeMissing, "{login}: {error:?}");
        let hint = error.hint().expect("a hint");
        assert!(
            hint.contains("as an administrator: grant fairclaim_worker to "),
            "{login}: {hint}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_transactions_are_not_read_committed_ends_at_once_and_says_what_to_set() {
    let stage = Stage::new().await;
    let url = stage.db.direct_url("test_worker");
    for level in ["serializable", "repeatable%5C%20read"] {
        let url = format!("{url}?options=-cdefault_transaction_isolation%3D{level}");
        let error = refused(Client::connect(&url).await.expect("connect")).await;
        assert_eq!(error.kind(), ErrorKind::Configuration, "{level}: {error:?}");
        let hint = error.hint().expect("a hint");
        assert!(hint.contains("default_transaction_isolation = 'read committed'"), "{hint}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_transactions_are_read_only_ends_at_once_and_says_what_to_set() {
    let stage = Stage::new().await;
    let url = stage.db.direct_url("test_worker");
    let url = format!("{url}?options=-cdefault_transaction_read_only%3Don");
    let error = refused(Client::connect(&url).await.expect("connect")).await;
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error:?}");
    let hint = error.hint().expect("a hint");
    assert!(hint.contains("reset default_transaction_read_only"), "{hint}");
}

#[tokio::test]
async fn a_worker_whose_schema_lacks_a_function_that_it_calls_ends_and_says_so() {
    let stage = Stage::new().await;
    let drop = "drop function fairclaim.release_claims";
    stage.db.owner().await.batch_execute(drop).await.expect("drop");
    let error = refused(stage.db.client("test_worker").await).await;
    assert_eq!(error.kind(), ErrorKind::SchemaMismatch, "{error:?}");
    assert!(error.hint().expect("a hint").contains("fairclaim migrate"), "{error:?}");
}

// one thread, whose default the recorder is
#[tokio::test]
async fn a_right_that_is_taken_away_is_asked_for_in_the_log_and_work_goes_on_when_it_is_back() {
    let recorder = Recorder::default();
    let _guard = tracing::subscriber::set_default(recorder.clone());
    let stage = Stage::new().await;
    let owner = stage.db.owner().await;
    let worker = stage.worker().await.queue("default", 1).handler_for("nothing", nothing);
    let worker = Running::start(worker.poll_interval(millis(50)));
    let first = stage.send(job("nothing", 1.into())).await;
    stage.until(first, fairclaim::Status::Completed).await;
    let function = "execute on function fairclaim.settle_and_claim";
    let revoked = format!("revoke {function} from fairclaim_worker");
    owner.batch_execute(&revoked).await.expect("revoke");
    until("the hint is logged", PATIENCE, || async {
        let told = recorder.events().into_iter().any(|event| {
            event.says("a call failed and will be repeated")
                && event.field("hint").is_some_and(|hint| hint.contains("grant fairclaim_worker"))
        });
        told.then_some(())
    })
    .await;
    let granted = format!("grant {function} to fairclaim_worker");
    owner.batch_execute(&granted).await.expect("grant");
    let second = stage.send(job("nothing", 2.into())).await;
    stage.until(second, fairclaim::Status::Completed).await;
    assert_eq!(worker.stop().await.completed, 2);
}
