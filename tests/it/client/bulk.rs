//! Actions on all jobs that a filter finds.

use std::time::Duration;

use fairclaim::{BulkTotals, Count, Dispatch, JobFilter, Status, Tenant};
use serde_json::json;

use crate::{
    calls::{Claimed, claim_job, claim_jobs, settle, settle_after, settle_all},
    support::TestDb,
    worker::stage::{Stage, acme, job},
};

fn of_acme() -> JobFilter {
    JobFilter::new().tenant(acme())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bulk_cancel_of_2500_jobs_counts_each_once_and_touches_no_other() {
    let stage = Stage::new().await;
    stage.dispatch_many("mail", "mail", 2500).await;
    let other = stage.dispatch("bill", json!({})).await;
    let bolt = Tenant::named("bolt").expect("a name");
    let foreign = stage.send(Dispatch::raw(bolt, "mail", json!({})).expect("a payload")).await;
    let running = claim_jobs(&stage.db.worker().await, 10, &mut None).await;
    assert_eq!(running.len(), 10);
    let mine = |job: &&Claimed| job.job_type == "mail" && job.tenant == acme().uuid();
    let asked = u64::try_from(running.iter().filter(mine).count()).expect("a few");
    assert!(asked > 0);

    let filter = of_acme().job_type("mail");
    let counted = stage.operator.count_cancellable(&filter).await.expect("count");
    assert_eq!(counted, Count { jobs: 2500, more: false });
    let mut pages = Vec::new();
    let totals = stage.operator.cancel_where(&filter, |so_far| pages.push(so_far.matched)).await;
    let changed = 2500 - asked;
    assert_eq!(
        totals.expect("cancel_where"),
        BulkTotals { matched: 2500, changed, asked, unchanged: 0 }
    );
    assert!(pages.len() >= 3 && pages.is_sorted(), "in pages: {pages:?}");
    for id in [other, foreign] {
        assert_ne!(stage.job(id).await.status, Status::Cancelled);
    }
    let cancelled = stage.operator.count_jobs(&JobFilter::new().status(Status::Cancelled)).await;
    assert_eq!(cancelled.expect("count").jobs, 2500 - asked);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_without_a_tenant_finds_waiting_jobs_of_all() {
    let stage = Stage::new().await;
    for name in ["acme", "bolt", "cog"] {
        let tenant = Tenant::named(name).expect("a name");
        let jobs = (0..30).map(|n| Dispatch::raw(&tenant, "mail", json!(n)).expect("a payload"));
        stage.producer.dispatch_many(jobs).await.expect("dispatch_many");
    }
    let filter = JobFilter::new().job_type("mail").limit(7);
    let totals = stage.operator.cancel_where(&filter, |_| ()).await.expect("cancel_where");
    assert_eq!(totals, BulkTotals { matched: 90, changed: 90, asked: 0, unchanged: 0 });
    assert!(claim_job(&stage.db.worker().await, "worker").await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bulk_retry_takes_what_failed_and_nothing_that_was_cancelled_or_completed() {
    let stage = Stage::new().await;
    stage.dispatch_many("mail", "mail", 30).await;
    let worker = stage.db.worker().await;
    let jobs = claim_jobs(&worker, 30, &mut None).await;
    settle_all(&worker, &jobs[..10], "complete").await;
    settle_all(&worker, &jobs[10..20], "fail").await;
    settle_all(&worker, &jobs[20..], "cancel").await;
    let filter = JobFilter::new().job_type("mail");
    assert_eq!(stage.operator.count_retryable(&filter).await.expect("count").jobs, 10);
    let totals = stage.operator.retry_where(&filter, |_| ()).await.expect("retry_where");
    assert_eq!(totals, BulkTotals { matched: 10, changed: 10, asked: 0, unchanged: 0 });
    let again = claim_jobs(&worker, 100, &mut None).await;
    let mut ids: Vec<_> = again.iter().map(|job| job.id).collect();
    let mut expected: Vec<_> = jobs[10..20].iter().map(|job| job.id).collect();
    ids.sort();
    expected.sort();
    assert_eq!(ids, expected);

    let later = stage.send(job("late", json!({})).delay(Duration::from_secs(3600))).await;
    let due = filter.clone().job_type("late").status(Status::Scheduled);
    assert_eq!(stage.operator.retry_where(&due, |_| ()).await.expect("retry_where").changed, 1);
    let claimed = claim_job(&worker, "worker").await.expect("the one that was due later");
    assert_eq!(claimed.id, later);
    assert!(settle(&worker, &claimed, "complete").await.accepted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_that_cannot_be_is_refused_before_anything_is_changed() {
    let stage = Stage::new().await;
    let id = stage.dispatch("mail", json!({})).await;
    let old = JobFilter::new().older_than(Duration::MAX);
    assert_eq!(stage.operator.cancel_where(&old, |_| ()).await.unwrap_err().code(), Some("JQ004"));
    let ended = JobFilter::new().status(Status::Failed);
    let error = stage.operator.cancel_where(&ended, |_| ()).await.unwrap_err();
    assert!(error.to_string().contains("status: must be scheduled"), "{error}");
    let waits = JobFilter::new().status(Status::Pending);
    let error = stage.operator.retry_where(&waits, |_| ()).await.unwrap_err();
    assert!(error.to_string().contains("status: must be failed"), "{error}");
    let plain = stage.db.client("test_plain_operator").await;
    let error = plain.cancel_where(&JobFilter::new().error("boom"), |_| ()).await.unwrap_err();
    assert_eq!(error.code(), Some("JQ007"));
    assert_eq!(stage.producer.jobs(&JobFilter::new()).await.unwrap_err().code(), Some("JQ007"));
    assert_eq!(stage.job(id).await.status, Status::Pending);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_pauses_a_queue_and_sees_it() {
    let stage = Stage::new().await;
    stage.dispatch_many("mail", "mail", 3).await;
    let change = stage.operator.pause_queue("mail").await.expect("pause");
    assert!(change.in_use && !change.was_paused && change.paused_at.is_some(), "{change:?}");
    assert!(!stage.operator.pause_queue("mial").await.expect("pause").in_use, "it is misspelt");
    let queues = stage.operator.queues().await.expect("queues");
    let seen: Vec<_> = queues
        .iter()
        .map(|row| (row.queue.as_str(), row.waiting, row.tenants_waiting, row.paused_at.is_some()))
        .collect();
    assert_eq!(seen, [("mail", 3, 1, true), ("mial", 0, 0, true)]);
    assert!(queues[0].oldest_waiting.is_some() && queues[1].oldest_waiting.is_none());
    assert!(claim_job(&stage.db.worker().await, "worker").await.is_none());

    let change = stage.operator.resume_queue("mail").await.expect("resume");
    assert!(change.was_paused && change.paused_at.is_none(), "{change:?}");
    assert!(claim_job(&stage.db.worker().await, "worker").await.is_some());
    assert_eq!(stage.operator.pause_queue("a b").await.unwrap_err().code(), Some("JQ004"));
    assert_eq!(stage.operator.pause_queue("a\0").await.unwrap_err().code(), Some("JQ004"));
    assert_eq!(stage.producer.pause_queue("mail").await.unwrap_err().code(), Some("JQ007"));
}

#[tokio::test(flavor = "multi_thread")]
async fn prune_says_what_it_deleted_and_a_worker_chooses_no_retention() {
    let stage = Stage::on(TestDb::with_test_clock().await).await;
    let id = stage.dispatch("mail", json!({})).await;
    stage.producer.cancel(Some(acme()), &[id]).await.expect("cancel");
    let day = Some(Duration::from_secs(86_400));
    let drop_range = async || stage.operator.drop_ranges(day).await.expect("drop_ranges");
    assert_eq!(drop_range().await.ranges_dropped, 0);
    assert_eq!(stage.operator.prune(day).await.expect("prune").rows_deleted, 0);
    stage.db.advance("26 hours").await;
    let pruned = stage.operator.prune(day).await.expect("prune");
    assert_eq!((pruned.rows_deleted, pruned.busy, pruned.more), (1, false, false));
    assert_eq!(stage.operator.job(id).await, Ok(None));
    stage.db.advance("8 days").await;
    assert_eq!(drop_range().await.ranges_dropped, 1);
    while drop_range().await.ranges_dropped > 0 {}
    let short = stage.operator.prune(Some(Duration::from_secs(60))).await.unwrap_err();
    assert_eq!(short.code(), Some("JQ004"));
    let worker = stage.db.client("test_worker").await;
    assert_eq!(worker.prune(day).await.unwrap_err().code(), Some("JQ007"));
    assert_eq!(worker.drop_ranges(day).await.unwrap_err().code(), Some("JQ007"));
    assert!(worker.prune(None).await.is_ok() && worker.drop_ranges(None).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_dispatched_after_the_count_is_not_cancelled() {
    let stage = Stage::new().await;
    stage.dispatch_many("mail", "mail", 3).await;
    let counted = stage.operator.until_now(&of_acme()).await.expect("until_now");
    tokio::time::sleep(Duration::from_millis(5)).await; // ids tell milliseconds
    let late = stage.dispatch("mail", json!({})).await;
    assert_eq!(stage.operator.count_cancellable(&counted).await.expect("count").jobs, 3);
    let totals = stage.operator.cancel_where(&counted, |_| ()).await.expect("cancel_where");
    assert_eq!((totals.matched, totals.changed), (3, 3));
    assert_eq!(stage.job(late).await.status, Status::Pending);

    let old = JobFilter::new().older_than(Duration::from_secs(3600));
    let old = stage.operator.until_now(&old).await.expect("until_now");
    assert_eq!(stage.operator.count_jobs(&old).await.expect("count").jobs, 0);
    let first = stage.operator.until_now(&of_acme().before(late)).await.expect("until_now");
    assert_eq!(first.before, Some(late), "an earlier bound stays");
}

/// A job that goes back from `processing` to `scheduled` behind the walk would be missed by a single one.
#[tokio::test(flavor = "multi_thread")]
async fn a_bulk_cancel_meets_jobs_that_are_snoozed_behind_it() {
    let stage = Stage::new().await;
    let worker = stage.db.worker().await;
    stage.dispatch_many("mail", "mail", 200).await;
    let running = claim_jobs(&worker, 40, &mut None).await;
    let filter = of_acme().limit(100);
    let mut pages = 0;
    let snooze = async || {
        for job in &running {
            assert!(settle_after(&worker, job, "snooze", Some(3600.0)).await.accepted);
        }
    };
    let totals = stage.operator.cancel_where(&filter, |_| {
        pages += 1;
        if pages == 2 {
            // what is scheduled is done, what waits is half done, what runs was not looked at
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(snooze()));
        }
    });
    let totals = totals.await.expect("cancel_where");
    assert_eq!(totals, BulkTotals { matched: 200, changed: 200, asked: 0, unchanged: 0 });
    assert_eq!(stage.operator.count_cancellable(&filter).await.expect("count").jobs, 0);
}
