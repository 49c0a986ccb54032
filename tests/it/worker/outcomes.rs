//! What a handler returns, and what becomes of its job.

use std::{collections::HashMap, time::Duration};

use fairclaim::{Attempt, JobError, JobRow, Outcome, RawJob, Status};
use serde_json::{Value, json};
use uuid::Uuid;

use super::stage::{Running, Stage, job};

#[derive(Debug, thiserror::Error)]
#[error("the mail server is away")]
struct Away(#[source] std::io::Error);

/// Does what its payload says.
async fn obey(wish: String, _attempt: Attempt) -> Result<Outcome, JobError> {
    let hour = Duration::from_secs(3600);
    match wish.as_str() {
        "complete" => Ok(Outcome::Complete),
        "complete_with" => Ok(Outcome::CompleteWith(json!({"sent": [1, null, "ä\"\\"]}))),
        "snooze" => Ok(Outcome::Snooze(hour)),
        "cancel" => Ok(Outcome::Cancel("the order was withdrawn".into())),
        "retry" => Err(JobError::retry("busy").code("smtp_421")),
        "retry_after" => Err(JobError::retry_after("busy", hour)),
        "fail" => Err(JobError::fail("no such user").code("smtp_550")),
        "any_error" => Err(Away(std::io::Error::other("refused")))?,
        _ => Ok(Outcome::CompleteWith("\0".into())), // no such text in the database
    }
}

/// Runs one job for each wish, and reads them all.
async fn run(wishes: &[&'static str]) -> (Stage, HashMap<&'static str, JobRow>) {
    let stage = Stage::new().await;
    let mut ids = Vec::new();
    for &wish in wishes {
        ids.push((wish, stage.dispatch("obey", wish.into()).await));
    }
    let worker = stage.worker().await.queue("default", 4).drain(true);
    Running::start(worker.handler_for::<String, _>("obey", obey)).ended().await;
    let mut rows = HashMap::new();
    for (wish, id) in ids {
        let row = stage.job(id).await;
        assert_eq!(row.attempts, 1, "{wish}");
        rows.insert(wish, row);
    }
    (stage, rows)
}

/// How many attempts a scheduled job has left.
async fn attempts_left(stage: &Stage, id: Uuid) -> i16 {
    let query = "select attempts_left from fairclaim_internal.scheduled where id = $1";
    stage.db.owner().await.query_one(query, &[&id]).await.expect("it is scheduled").get(0)
}

/// For how many seconds a job is put off.
fn put_off(row: &JobRow) -> u64 {
    let due = row.next_retry_at.expect("it is due later");
    due.duration_since(row.created_at).expect("later").as_secs()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_completed_job_keeps_its_result() {
    let (_rig, rows) = run(&["complete", "complete_with"]).await;
    assert!(rows.values().all(|row| row.status == Status::Completed));
    assert!(rows.values().all(|row| row.completed_at.is_some() && row.errors.is_none()));
    assert_eq!(rows["complete"].result, None);
    assert_eq!(rows["complete_with"].result, Some(json!({"sent": [1, null, "ä\"\\"]})));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snoozed_job_waits_and_uses_no_attempt_up() {
    let (stage, rows) = run(&["snooze"]).await;
    let row = &rows["snooze"];
    assert_eq!((row.status, &row.errors), (Status::Scheduled, &None));
    assert!((3600..3700).contains(&put_off(row)), "{row:?}");
    assert_eq!(attempts_left(&stage, row.id).await, 25);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_its_handler_cancels_keeps_the_reason() {
    let (_rig, rows) = run(&["cancel"]).await;
    assert_eq!(rows["cancel"].status, Status::Cancelled);
    let error = json!({"code": "cancelled", "message": "the order was withdrawn"});
    assert_eq!(rows["cancel"].error, Some(error));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_attempt_is_recorded_and_tried_again_when_its_error_says() {
    let (stage, rows) = run(&["retry", "retry_after", "any_error"]).await;
    let expected = [
        ("retry", 12..=30, json!({"code": "smtp_421", "message": "busy"})),
        ("retry_after", 3600..=3700, json!({"message": "busy"})),
        ("any_error", 12..=30, json!({"message": "the mail server is away", "trace": "refused"})),
    ];
    for (wish, seconds, error) in expected {
        let row = &rows[wish];
        assert_eq!(row.status, Status::Scheduled, "{wish}");
        assert!(seconds.contains(&put_off(row)), "{wish}: {}", put_off(row));
        assert_eq!(attempts_left(&stage, row.id).await, 24, "{wish}");
        let errors = row.errors.as_ref().and_then(Value::as_array).expect("errors");
        assert_eq!((errors.len(), &errors[0]["attempt"]), (1, &json!(1)), "{wish}");
        assert_eq!(errors[0]["error"], error, "{wish}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_final_error_fails_the_job_whatever_is_left() {
    let (_rig, rows) = run(&["fail"]).await;
    assert_eq!(rows["fail"].status, Status::Failed);
    let error = json!({"code": "smtp_550", "message": "no such user"});
    assert_eq!(rows["fail"].error, Some(error));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_cannot_be_stored_fails_its_job_and_none_of_the_same_batch() {
    let (_rig, rows) = run(&["unstorable", "complete", "complete_with", "snooze"]).await;
    assert_eq!(rows["unstorable"].status, Status::Failed);
    assert_eq!(rows["unstorable"].error.as_ref().expect("an error")["code"], "result_invalid");
    assert_eq!(rows["complete"].status, Status::Completed);
    assert_eq!(rows["complete_with"].status, Status::Completed);
    assert_eq!(rows["snooze"].status, Status::Scheduled);
}

async fn never(_job: RawJob, attempt: Attempt) -> Result<(), JobError> {
    let message = format!("attempt {} of {}", attempt.number(), attempt.attempts_left());
    Err(JobError::retry_after(message, Duration::ZERO).code("never"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_fails_when_its_attempts_are_used_up_and_keeps_all_their_errors() {
    let stage = Stage::new().await;
    let id = stage.send(job("never", json!({})).max_attempts(3)).await;
    let worker = stage.worker().await.queue("default", 1).handler_for("never", never);
    let worker = Running::start(worker);
    let row = stage.until(id, Status::Failed).await;
    let report = worker.stop().await;
    assert_eq!((report.retried, report.failed, row.attempts), (2, 1, 3));
    assert_eq!(row.error, Some(json!({"code": "never", "message": "attempt 3 of 1"})));
    let errors = row.errors.expect("errors");
    let messages: Vec<&Value> =
        errors.as_array().expect("a list").iter().map(|error| &error["error"]["message"]).collect();
    assert_eq!(messages[..2], [&json!("attempt 1 of 3"), &json!("attempt 2 of 2")]);
}
