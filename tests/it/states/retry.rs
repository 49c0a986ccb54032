//! An operator's retry: the job runs again with all its attempts, and its past is kept.

use serde_json::{Value, json};

use super::stage::{Seen, Stage, status};
use crate::calls::{Settled, settle, settle_after};

#[tokio::test]
async fn a_failed_job_runs_again_with_all_its_attempts() {
    let stage = Stage::set().await;
    let id = stage.job(2).await;
    for wanted in ["pending", "failed"] {
        let job = stage.claim().await;
        assert_eq!(
            settle_after(&stage.worker, &job, "retry", Some(0.0)).await,
            Settled::as_status(wanted)
        );
    }
    assert_eq!(stage.seen(id).await, Seen::ended("failed", 2));
    assert_eq!(stage.change("retry_jobs", &[id]).await, [status("pending")]);
    stage.one_place_each().await;
    assert_eq!(
        stage.seen(id).await,
        Seen::waiting("pending", 2, 2, 0),
        "attempts goes on, attempts_left is refilled"
    );
    let boom = json!({"code": "boom", "message": "it failed"});
    let with_end = json!({"code": "boom", "message": "it failed", "ended_as": "failed"});
    assert_eq!(
        stage.history(id).await,
        [(1, boom), (2, with_end)],
        "the final fact is in the history"
    );

    let job = stage.claim().await;
    assert_eq!((job.id, job.attempts, job.attempts_left), (id, 3, 2));
    assert_eq!(settle(&stage.worker, &job, "complete").await, Settled::as_status("completed"));
    assert_eq!(stage.seen(id).await, Seen::ended("completed", 3));
}

#[tokio::test]
async fn a_stale_settlement_is_refused_after_a_retry() {
    let stage = Stage::set().await;
    let id = stage.job(1).await;
    let old = stage.claim().await;
    settle(&stage.worker, &old, "fail").await;
    stage.change("retry_jobs", &[id]).await;
    assert_eq!(settle(&stage.worker, &old, "complete").await, Settled::REFUSED);
    let new = stage.claim().await;
    for outcome in ["complete", "fail", "release"] {
        assert_eq!(settle(&stage.worker, &old, outcome).await, Settled::REFUSED);
    }
    assert_eq!(stage.extend(&old, "30 s").await, (false, false));
    assert_eq!(settle(&stage.worker, &new, "complete").await, Settled::as_status("completed"));
    stage.one_place_each().await;
}

#[tokio::test]
async fn whatever_has_ended_can_run_again() {
    let stage = Stage::set().await;
    for ended in ["completed", "cancelled", "failed"] {
        let id = stage.job(3).await;
        let job = stage.claim().await;
        let outcome = match ended {
            "completed" => "complete",
            "cancelled" => "cancel",
            _ => "fail",
        };
        assert_eq!(settle(&stage.worker, &job, outcome).await, Settled::as_status(ended));
        assert_eq!(stage.change("retry_jobs", &[id]).await, [status("pending")]);
        let last = stage.history(id).await.pop().expect("a final fact");
        assert_eq!((last.0, last.1["ended_as"].clone()), (1, Value::from(ended)));
        let job = stage.claim().await;
        assert_eq!((job.id, job.attempts, job.attempts_left), (id, 2, 3));
        settle(&stage.worker, &job, "complete").await;
    }
    // one that was cancelled before it ever ran, twice
    let id = stage.job(3).await;
    for _ in 0..2 {
        assert_eq!(stage.change("cancel_jobs", &[id]).await, [status("cancelled")]);
        assert_eq!(stage.change("retry_jobs", &[id]).await, [status("pending")]);
    }
    assert_eq!(stage.seen(id).await, Seen::waiting("pending", 0, 3, 0));
    stage.one_place_each().await;
}

#[tokio::test]
async fn a_waiting_or_running_job_is_left_alone_and_a_delayed_one_is_due_now() {
    let stage = Stage::set().await;
    let id = stage.job(3).await;
    assert_eq!(stage.change("retry_jobs", &[id]).await, [status("pending")]);
    let job = stage.claim().await;
    stage.nothing_to_claim().await;
    assert_eq!(stage.change("retry_jobs", &[id]).await, [status("processing")]);
    assert_eq!(settle(&stage.worker, &job, "retry").await, Settled::as_status("scheduled"));
    stage.nothing_to_claim().await;
    assert_eq!(stage.change("retry_jobs", &[id]).await, [status("pending")]);
    assert_eq!(
        stage.seen(id).await,
        Seen::waiting("pending", 1, 2, 0),
        "no attempt is given or taken"
    );
    assert_eq!(stage.claim().await.attempts, 2);
    stage.one_place_each().await;
}

#[tokio::test]
async fn a_job_lost_thrice_starts_afresh() {
    let stage = Stage::set().await;
    let id = stage.job(1).await;
    for lost in 0..3 {
        if lost < 2 {
            stage.claim().await
        } else {
            stage.claim_alone().await
        };
        stage.later("36 s").await;
    }
    assert_eq!(stage.seen(id).await, Seen::ended("failed", 3));
    assert_eq!(stage.change("retry_jobs", &[id]).await, [status("pending")]);
    assert_eq!(stage.seen(id).await, Seen::waiting("pending", 3, 1, 0));
}
