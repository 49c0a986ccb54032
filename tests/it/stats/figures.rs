//! What the figures say, against a count by hand.

use std::collections::BTreeMap;

use serde_json::json;

use super::{Stage, figures};
use crate::{
    calls::{
        Claimed, claim_jobs, dispatch_batch, dispatch_many, settle, settle_after, settle_all,
        tenant, tick,
    },
    support::Client,
};

const MINUTE: [&str; 4] = ["dispatched_1m", "claimed_1m", "finished_1m", "failed_1m"];
const HOUR: [&str; 4] = ["dispatched_1h", "claimed_1h", "finished_1h", "failed_1h"];

#[tokio::test(flavor = "multi_thread")]
async fn the_figures_are_those_of_a_count_by_hand() {
    let stage = Stage::new().await;
    dispatch_many(&stage.producer, tenant(1), "mail", "send", 12).await;
    dispatch_many(&stage.producer, tenant(2), "mail", "send", 5).await;
    dispatch_many(&stage.producer, tenant(1), "bill", "send", 1).await;
    stage.refresh(10).await;
    let mail = stage.queue("mail").await;
    assert_eq!(figures(&mail, &HOUR), [17.0, 0.0, 0.0, 0.0]);
    assert_eq!(mail.get::<_, i32>("waiting"), 17);
    assert_eq!(mail.get::<_, f64>("oldest_waiting"), 10.0);

    let sql = "select * from fairclaim.claim_jobs('worker', '{mail}', 6, p_lease => 300)";
    let rows = stage.worker.query(sql, &[]).await.expect("claim_jobs");
    let jobs: Vec<Claimed> = rows.iter().map(Claimed::from).collect();
    assert_eq!(jobs.len(), 6);
    stage.refresh(6).await;
    let mut held = BTreeMap::new();
    for job in &jobs {
        *held.entry(job.tenant).or_insert(0) += 1;
    }
    for row in stage.tenants().await.iter().filter(|row| row.get::<_, &str>("queue") == "mail") {
        let jobs = held.get(&row.get("tenant_id")).copied().unwrap_or(0);
        assert_eq!(row.get::<_, i32>("running"), jobs);
        assert_eq!(row.get::<_, f64>("claimed_1h"), f64::from(jobs));
    }

    stage.db.advance("4 s").await;
    for (job, outcome) in jobs.iter().zip(["complete", "complete", "complete", "fail"]) {
        settle(&stage.worker, job, outcome).await;
    }
    settle_after(&stage.worker, &jobs[4], "retry", Some(600.0)).await;
    settle(&stage.worker, &jobs[5], "release").await;
    stage.refresh(2).await;
    let mail = stage.queue("mail").await;
    assert_eq!(figures(&mail, &HOUR), [17.0, 5.0, 4.0, 1.0], "a claim given back is not counted");
    assert_eq!(figures(&mail, &MINUTE), [17.0, 5.0, 4.0, 1.0]);
    let counted =
        ["waiting", "scheduled", "running", "sampled"].map(|name| mail.get::<_, i32>(name));
    assert_eq!(counted, [12, 1, 0, 4]);

    // they waited 10 s and ran 10 s; nobody wrote down when they began, only that it was between the refreshes 6 s apart
    let (wait, run): (f64, f64) = (mail.get("wait_p50"), mail.get("run_p99"));
    assert!((10.0..=16.0).contains(&wait) && (4.0..=10.0).contains(&run), "{wait} {run}");
    assert_eq!((wait, run), (13.0, 7.0), "in the middle");
    let seconds: f64 = mail.get("seconds_1h");
    assert!((seconds - 60.0).abs() <= 36.0, "six jobs of 10 s, seen twice 6 s apart: {seconds}");

    let sum = |column: &str, rows: &[tokio_postgres::Row]| -> f64 {
        let mail = rows.iter().filter(|row| row.get::<_, &str>("queue") == "mail");
        mail.map(|row| row.get::<_, f64>(column)).sum()
    };
    let tenants = stage.tenants().await;
    assert_eq!(HOUR.map(|column| sum(column, &tenants)), [17.0, 5.0, 4.0, 1.0]);
    let bill = stage.queue("bill").await;
    assert_eq!(figures(&bill, &HOUR), [1.0, 0.0, 0.0, 0.0], "queues are told apart");
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_forget() {
    let stage = Stage::new().await;
    dispatch_many(&stage.producer, tenant(1), "mail", "send", 40).await;
    stage.refresh(5).await;
    assert_eq!(figures(&stage.queue("mail").await, &["dispatched_1m"]), [40.0]);
    // 69 s later the slot of the dispatch is the one before, of which 50 s are in the window of a minute
    stage.db.advance("64 s").await;
    let row = stage.queue("mail").await;
    assert_eq!(figures(&row, &["dispatched_1m", "dispatched_1h"]), [33.33, 40.0]);
    stage.db.advance("60 s").await;
    let row = stage.queue("mail").await;
    assert_eq!(figures(&row, &["dispatched_1m", "dispatched_1h"]), [0.0, 40.0]);
    stage.db.advance("2 hours").await;
    assert_eq!(figures(&stage.queue("mail").await, &["dispatched_1h"]), [0.0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn short_runs_are_told_near_the_mean_and_waits_with_them() {
    let stage = Stage::new().await;
    for _ in 0..12 {
        dispatch_many(&stage.producer, tenant(1), "mail", "send", 4).await;
        stage.db.advance("2 s").await;
        let jobs = claim_jobs(&stage.worker, 10, &mut None).await;
        assert_eq!(jobs.len(), 4);
        stage.db.advance("1 s").await;
        tick(&stage.worker).await; // every second one is a refresh, and sees them run
        settle_all(&stage.worker, &jobs, "complete").await;
        stage.db.advance("1 s").await;
        tick(&stage.worker).await;
    }
    stage.refresh(6).await;
    let row = stage.queue("mail").await;
    let (wait, run): (f64, f64) = (row.get("wait_p50"), row.get("run_p50"));
    assert!((run - 1.0).abs() <= 2.5 && (wait - 2.0).abs() <= 2.5, "{wait} {run}");
    assert_eq!(row.get::<_, f64>("finished_1h"), 48.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ended_last_is_told_and_then_nothing_is_written() {
    let stage = Stage::new().await;
    dispatch_many(&stage.producer, tenant(1), "mail", "send", 3).await;
    stage.refresh(6).await;
    let jobs = claim_jobs(&stage.worker, 3, &mut None).await;
    stage.refresh(1).await; // too soon after the last refresh
    settle_all(&stage.worker, &jobs, "complete").await;
    stage.refresh(30).await;
    let row = &stage.tenants().await[0];
    assert_eq!(figures(row, &HOUR), [3.0, 3.0, 3.0, 0.0]);
    assert_eq!((row.get::<_, i32>("waiting"), row.get::<_, i32>("running")), (0, 0));
    let mut worker = stage.db.worker().await;
    for _ in 0..3 {
        stage.db.advance("20 s").await;
        let open = worker.transaction().await.expect("begin");
        tick(&open).await;
        let sql = "select pg_current_xact_id_if_assigned() is null";
        assert!(open.query_one(sql, &[]).await.expect(sql).get::<_, bool>(0), "it wrote");
        open.commit().await.expect("commit");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_that_wait_unchanged_are_not_written_again() {
    let stage = Stage::new().await;
    dispatch_many(&stage.producer, tenant(1), "mail", "send", 30).await;
    stage.refresh(6).await;
    let owner = stage.db.owner().await;
    let versions = async || -> Vec<String> {
        let sql = "select ctid::text || xmin from fairclaim_internal.stat order by stat_id";
        owner.query(sql, &[]).await.expect(sql).iter().map(|row| row.get(0)).collect()
    };
    let before = versions().await;
    assert_eq!(before.len(), 2);
    for _ in 0..3 {
        stage.refresh(6).await;
    }
    assert_eq!(versions().await, before);
    claim_jobs(&stage.worker, 1, &mut None).await;
    stage.refresh(6).await;
    assert_ne!(versions().await, before, "a change is");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_has_been_quiet_for_two_hours_is_forgotten() {
    let stage = Stage::new().await;
    dispatch_many(&stage.producer, tenant(1), "mail", "send", 2).await;
    dispatch_many(&stage.producer, tenant(2), "mail", "send", 1).await;
    stage.refresh(6).await;
    let jobs = claim_jobs(&stage.worker, 2, &mut None).await;
    settle_all(&stage.worker, &jobs, "complete").await;
    stage.refresh(6).await;
    assert_eq!(stage.tenants().await.len(), 2);
    stage.refresh(3 * 3600).await;
    stage.refresh(6).await;
    let left: Vec<i32> = stage.tenants().await.iter().map(|row| row.get("waiting")).collect();
    assert_eq!(left, [1], "who has a job waiting stays");
}

/// Four tenants of weights 1, 1, 2 and 4 with a backlog each, of one type each.
async fn backlogs() -> Stage {
    let stage = Stage::new().await;
    let owner = stage.db.owner().await;
    for (n, weight) in [(1, 1_i16), (2, 1), (3, 2), (4, 4)] {
        let sql = "insert into fairclaim_internal.tenant_weight (tenant_id, queue, weight) values ($1, '', $2)";
        owner.execute(sql, &[&tenant(n), &weight]).await.expect("a weight");
        let jobs: Vec<_> = (0..200)
            .map(|_| json!({"tenant_id": tenant(n), "queue": "mail", "type": format!("t{n}")}))
            .collect();
        dispatch_batch(&stage.producer, &jobs).await;
    }
    stage.refresh(6).await;
    stage
}

/// Serves for two minutes.
async fn serve(stage: &Stage, worker: &Client, types: &str) {
    let mut cursor: Option<String> = None;
    for _ in 0..20 {
        let sql = format!(
            "select * from fairclaim.claim_jobs('worker', null, 8, p_types => {types}, p_cursor => $1)"
        );
        let rows = worker.query(&sql, &[&cursor]).await.expect("claim_jobs");
        cursor = rows[0].get("next_cursor");
        let jobs: Vec<Claimed> = rows.iter().map(Claimed::from).collect();
        stage.refresh(6).await;
        settle_all(worker, &jobs, "complete").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn shares_follow_weights_and_jains_index_is_one() {
    let stage = backlogs().await;
    serve(&stage, &stage.worker, "null").await;
    let row = stage.queue("mail").await;
    assert_eq!(row.get::<_, i32>("backlogged_1m"), 4);
    let (claims, seconds): (f64, f64) = (row.get("jain_claims_1m"), row.get("jain_seconds_1m"));
    assert!(claims > 0.95 && seconds > 0.9, "{claims} {seconds}");
    for row in stage.tenants().await {
        let (share, fair): (f64, f64) = (row.get("share_1m"), row.get("fair_share_1m"));
        assert!((share - fair).abs() < 0.06, "{share} against {fair}");
    }
    assert_eq!(row.get::<_, i32>("backlogged_1h"), 0, "nobody waited for the whole hour");
}

#[tokio::test(flavor = "multi_thread")]
async fn jains_index_tells_when_one_gets_everything() {
    let stage = backlogs().await;
    serve(&stage, &stage.worker, "array['t1']").await;
    let row = stage.queue("mail").await;
    assert_eq!(row.get::<_, i32>("backlogged_1m"), 4);
    assert_eq!(row.get::<_, f64>("jain_claims_1m"), 0.25);
}
