//! Looking at jobs, cancelling them, running them again.

use std::collections::HashSet;

use fairclaim::{JobFilter, Status, Tenant};
use serde_json::json;
use uuid::Uuid;

use crate::{
    calls::{claim_job, settle},
    worker::stage::{Stage, acme, job},
};

fn bolt() -> Tenant {
    Tenant::named("bolt").expect("a name")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_job_runs_again_when_an_operator_retries_it() {
    let stage = Stage::new().await;
    let waiting = stage.dispatch("mail", json!({})).await;
    let due_later =
        stage.send(job("mail", json!({})).delay(std::time::Duration::from_secs(60))).await;
    let both = [waiting, due_later];
    let changed = stage.producer.cancel(Some(acme()), &both).await.expect("cancel");
    assert_eq!(changed.iter().map(|job| job.id).collect::<Vec<_>>(), both);
    assert!(changed.iter().all(|job| job.status == Some(Status::Cancelled)), "{changed:?}");
    let worker = stage.db.worker().await;
    assert!(claim_job(&worker, "worker").await.is_none());

    let changed = stage.operator.retry(None, &[waiting]).await.expect("retry");
    assert_eq!((changed[0].id, changed[0].status), (waiting, Some(Status::Pending)));
    assert_eq!(claim_job(&worker, "worker").await.map(|job| job.id), Some(waiting));
    assert!(claim_job(&worker, "worker").await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_job_that_is_retried_has_all_its_attempts_and_keeps_its_history() {
    let stage = Stage::new().await;
    let id = stage.send(job("mail", json!({})).max_attempts(2)).await;
    let worker = stage.db.worker().await;
    let first = claim_job(&worker, "worker").await.expect("the job");
    settle(&worker, &first, "fail").await;
    assert_eq!(stage.job(id).await.status, Status::Failed);

    let changed = stage.producer.retry(Some(acme()), &[id]).await.expect("retry");
    assert_eq!(changed[0].status, Some(Status::Pending));
    let second = claim_job(&worker, "worker").await.expect("the job again");
    assert_eq!((second.attempts, second.attempts_left), (2, 2));
    settle(&worker, &second, "complete").await;
    let row = stage.job(id).await;
    assert_eq!((row.status, row.attempts, &row.error), (Status::Completed, 2, &None));
    let errors = row.errors.expect("errors");
    assert_eq!((&errors[0]["attempt"], &errors[0]["error"]["code"]), (&json!(1), &json!("boom")));
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_of_others_are_not_found_and_not_changed() {
    let stage = Stage::new().await;
    let (theirs, missing) = (stage.dispatch("mail", json!({})).await, Uuid::now_v7());
    assert_eq!(stage.operator.job(missing).await, Ok(None));
    assert_eq!(stage.operator.job_of(bolt(), theirs).await, Ok(None));
    let found = stage.operator.job_of(acme(), theirs).await.expect("job_of").expect("it is acme's");
    assert_eq!((found.id, found.payload), (theirs, Some(json!({}))));
    for changed in [
        stage.producer.cancel(Some(bolt()), &[theirs, missing]).await.expect("cancel"),
        stage.producer.retry(Some(bolt()), &[theirs, missing]).await.expect("retry"),
    ] {
        let answers: Vec<_> = changed.iter().map(|job| (job.id, job.status)).collect();
        assert_eq!(answers, [(theirs, None), (missing, None)]);
    }
    assert_eq!(stage.job(theirs).await.status, Status::Pending);
    assert_eq!(stage.producer.cancel(Some(acme()), &[]).await, Ok(vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_follow_each_other_without_a_gap_while_jobs_come_in() {
    let stage = Stage::new().await;
    let mut ids = stage.dispatch_many("mail", "mail", 25).await;
    ids.reverse();
    let mut filter = JobFilter { limit: Some(10), ..JobFilter::default() };
    let (mut seen, mut sizes) = (Vec::new(), Vec::new());
    loop {
        let page = stage.operator.jobs(&filter).await.expect("jobs");
        sizes.push(page.jobs.len());
        assert!(page.jobs.iter().all(|job| job.payload.is_none()), "a list shows no payload");
        seen.extend(page.jobs.iter().map(|job| job.id));
        stage.dispatch_many("mail", "mail", 3).await; // newer than all of these pages
        match page.next {
            Some(next) => filter.before = Some(next),
            None => break,
        }
    }
    assert_eq!((seen, sizes), (ids, vec![10, 10, 5]));
    let full = JobFilter { limit: Some(34), ..JobFilter::default() };
    let page = stage.operator.jobs(&full).await.expect("jobs");
    assert_eq!((page.jobs.len(), page.next), (34, None), "a full page is the last one");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_jobs_of_a_worker_that_is_gone_wait_again_when_an_operator_releases_them() {
    let stage = Stage::new().await;
    let ids = stage.dispatch_many("mail", "mail", 3).await;
    let worker = stage.db.worker().await;
    let mut held = Vec::new();
    while let Some(job) = claim_job(&worker, "gone").await {
        held.push(job);
    }
    let changed = stage.operator.release(Some(acme()), &ids[..1]).await.expect("release");
    assert_eq!((changed[0].id, changed[0].status), (ids[0], Some(Status::Pending)));
    let changed = stage.operator.release(Some(bolt()), &ids[1..2]).await.expect("release");
    assert_eq!(changed[0].status, None, "it is another's");
    let changed = stage.operator.release_worker("gone", 1).await.expect("release_worker");
    assert_eq!(changed.iter().map(|job| job.status).collect::<Vec<_>>(), [Some(Status::Pending)]);
    assert_eq!(stage.operator.release_worker("gone", 1000).await.expect("the rest").len(), 1);
    assert_eq!(stage.operator.release_worker("gone", 1000).await, Ok(vec![]));
    for job in &held {
        assert!(!settle(&worker, job, "complete").await.accepted, "its lease is over");
    }
    for refused in [
        stage.producer.release(Some(acme()), &ids).await,
        stage.producer.release_worker("gone", 1).await,
    ] {
        let error = refused.expect_err("producers may not");
        assert!(error.hint().is_some_and(|hint| hint.contains("fairclaim_operator")), "{error:?}");
    }
}

/// The ids that a filter finds.
async fn found(stage: &Stage, filter: JobFilter) -> HashSet<Uuid> {
    let page = stage.operator.jobs(&filter).await.expect("jobs");
    page.jobs.iter().map(|job| job.id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_finds_what_matches_all_of_it() {
    let stage = Stage::new().await;
    let plain = stage.dispatch("mail", json!({})).await;
    let other_type = stage.dispatch("bill", json!({})).await;
    let other_queue = stage.send(job("mail", json!({})).queue("slow")).await;
    let foreign = fairclaim::Dispatch::raw(bolt(), "mail", json!({})).expect("a payload");
    let foreign = stage.send(foreign).await;
    let cancelled = stage.dispatch("mail", json!({})).await;
    stage.producer.cancel(Some(acme()), &[cancelled]).await.expect("cancel");

    let none = JobFilter::default;
    let name = |name: &str| Some(name.to_owned());
    let status = Some(Status::Pending);
    let cases = [
        (none(), vec![plain, other_type, other_queue, foreign, cancelled]),
        (JobFilter { tenant: Some(bolt()), ..none() }, vec![foreign]),
        (JobFilter { job_type: name("bill"), ..none() }, vec![other_type]),
        (JobFilter { queue: name("slow"), ..none() }, vec![other_queue]),
        (JobFilter { status, ..none() }, vec![plain, other_type, other_queue, foreign]),
        (JobFilter { status: Some(Status::Cancelled), ..none() }, vec![cancelled]),
        (JobFilter { before: Some(other_queue), ..none() }, vec![plain, other_type]),
        (JobFilter { queue: name("slow"), job_type: name("bill"), ..none() }, vec![]),
        (
            JobFilter { status, tenant: Some(acme()), queue: name("default"), ..none() },
            vec![plain, other_type],
        ),
    ];
    for (filter, expected) in cases {
        assert_eq!(
            found(&stage, filter.clone()).await,
            expected.into_iter().collect(),
            "{filter:?}"
        );
    }
}
