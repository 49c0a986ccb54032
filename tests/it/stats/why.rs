//! `why_waiting`: every reason, for the one who may ask.

use serde_json::json;
use uuid::Uuid;

use super::Stage;
use crate::{
    calls::{
        claim_job, claim_jobs, dispatch, dispatch_many, dispatch_object, refused, settle,
        settle_after, settle_all, tenant, tick,
    },
    support::Client,
};

const WHY: &str =
    "select reason, detail, position, at_least, due_in, limit_kind, max_running, running
                     from fairclaim.why_waiting($1, $2)";

#[derive(Debug, PartialEq)]
struct Why {
    reason: String,
    detail: String,
    position: Option<i32>,
    at_least: bool,
    due_in: Option<f64>,
}

async fn why(session: &Client, owner: Option<Uuid>, id: Uuid) -> Vec<Why> {
    let rows = session.query(WHY, &[&owner, &id]).await.expect("why_waiting");
    rows.iter()
        .map(|row| Why {
            reason: row.get(0),
            detail: row.get(1),
            position: row.get(2),
            at_least: row.get(3),
            due_in: row.get(4),
        })
        .collect()
}

async fn reasons(stage: &Stage, id: Uuid) -> Vec<String> {
    let told = why(&stage.producer, Some(tenant(1)), id).await;
    told.into_iter().map(|row| row.reason).collect()
}

#[tokio::test]
async fn a_job_on_its_way_tells_where_it_is() {
    let stage = Stage::new().await;
    let id = dispatch(&stage.producer, tenant(1), "mail").await;
    let told = why(&stage.producer, Some(tenant(1)), id).await;
    assert_eq!((told.len(), told[0].reason.as_str(), told[0].position), (1, "behind", Some(0)));
    assert_eq!(told[0].detail, "no job is ahead of it: the next worker that is free takes it");
    let job = claim_job(&stage.worker, "worker").await.expect("the job");
    assert_eq!(reasons(&stage, id).await, ["running"]);
    settle_after(&stage.worker, &job, "retry", Some(180.0)).await;
    let told = why(&stage.producer, Some(tenant(1)), id).await;
    assert_eq!((told[0].reason.as_str(), told[0].due_in), ("scheduled", Some(180.0)));
    assert_eq!(told[0].detail, "attempt 1 is over, and it is due in 3 min");
    stage.db.advance("200 s").await;
    let told = why(&stage.producer, Some(tenant(1)), id).await;
    assert_eq!(
        told[0].detail,
        "attempt 1 is over, and it is due: the next tick lets workers have it"
    );
    stage.refresh(0).await;
    let job = claim_job(&stage.worker, "worker").await.expect("the job");
    settle(&stage.worker, &job, "fail").await;
    stage.db.advance("90 s").await;
    let told = why(&stage.producer, Some(tenant(1)), id).await;
    assert_eq!(
        (told[0].reason.as_str(), told[0].detail.as_str()),
        ("finished", "it failed 90 s ago")
    );
}

#[tokio::test]
async fn a_job_in_a_lane_of_its_tenant_counts_those_of_its_tenant_ahead_of_it() {
    let stage = Stage::new().await;
    dispatch_many(&stage.producer, tenant(2), "default", "mail", 500).await;
    dispatch_many(&stage.producer, tenant(1), "default", "mail", 41).await;
    let last = dispatch(&stage.producer, tenant(1), "mail").await;
    let high = dispatch_object(
        &stage.producer,
        json!({"tenant_id": tenant(1), "type": "mail", "priority": 5}),
    )
    .await;
    stage.refresh(6).await;
    let told = why(&stage.producer, Some(tenant(1)), last).await;
    let (position, sure) = (told[0].position.expect("a number"), !told[0].at_least);
    // the first seven or eight of its jobs wait in the shared lane
    assert!((33..=42).contains(&position) && sure, "{told:?}");
    assert_eq!(told[0].due_in, None, "nothing is known of its pace yet");
    let told = why(&stage.producer, Some(tenant(1)), high).await;
    assert!(told[0].position < Some(30), "a higher priority goes first: {told:?}");

    // 60 of its jobs a minute, or so: what is left is due in less than a minute
    dispatch_many(&stage.producer, tenant(1), "default", "mail", 60).await;
    let end = dispatch(&stage.producer, tenant(1), "mail").await;
    let mut cursor = None;
    for _ in 0..6 {
        let jobs = claim_jobs(&stage.worker, 20, &mut cursor).await;
        settle_all(&stage.worker, &jobs, "complete").await;
        stage.refresh(5).await;
    }
    let told = why(&stage.producer, Some(tenant(1)), end).await;
    let (left, due) = (told[0].position.expect("a number"), told[0].due_in.expect("an estimate"));
    let sql = "select claimed_1m from fairclaim.tenant_stats($1)";
    let claimed: f64 =
        stage.operator.query_one(sql, &[&tenant(1)]).await.expect("tenant_stats").get(0);
    assert!((due - f64::from(left) * 60.0 / claimed).abs() < 1.0, "{told:?} {claimed}");
    assert!(told[0].detail.contains("of this tenant, about "), "{told:?}");
}

#[tokio::test]
async fn a_job_in_a_shared_lane_counts_those_of_all_tenants_ahead_of_it() {
    let stage = Stage::new().await;
    for n in 2..=6 {
        dispatch(&stage.producer, tenant(n), if n % 2 == 0 { "mail" } else { "bill" }).await;
    }
    let id = dispatch(&stage.producer, tenant(1), "mail").await;
    let told = why(&stage.producer, Some(tenant(1)), id).await;
    assert_eq!((told[0].position, told[0].at_least), (Some(5), false));
    assert_eq!(told[0].detail, "behind 5 jobs of the shared lane, of all tenants");
}

#[tokio::test]
async fn counting_stops_at_a_thousand() {
    let stage = Stage::new().await;
    dispatch_many(&stage.producer, tenant(1), "default", "mail", 3_000).await;
    let id = dispatch(&stage.producer, tenant(1), "mail").await;
    let told = why(&stage.producer, Some(tenant(1)), id).await;
    assert_eq!((told[0].position, told[0].at_least), (Some(1_000), true));
    assert_eq!(told[0].detail, "behind 1000 or more jobs of this tenant");
}

#[tokio::test]
async fn a_pause_is_told_first_with_what_comes_after_it() {
    let stage = Stage::new().await;
    let id = dispatch(&stage.producer, tenant(1), "mail").await;
    stage.operator.execute("select fairclaim.pause_queue('default')", &[]).await.expect("pause");
    stage.db.advance("5 min").await;
    let told = why(&stage.operator, Some(tenant(1)), id).await;
    assert_eq!(told[0].reason, "queue_paused");
    assert_eq!(told[0].detail, "queue default has been paused for 5 min");
    assert_eq!(told[1].reason, "behind");
}

#[tokio::test]
async fn a_job_whose_workers_died_twice_waits_to_run_alone() {
    let stage = Stage::new().await;
    let id = dispatch(&stage.producer, tenant(1), "mail").await;
    for _ in 0..2 {
        assert!(claim_job(&stage.worker, "doomed").await.is_some());
        stage.refresh(120).await;
        stage.refresh(10).await;
    }
    assert_eq!(reasons(&stage, id).await, ["alone"]);
}

#[tokio::test]
async fn a_missing_job_and_another_tenants_answer_alike() {
    let stage = Stage::new().await;
    let id = dispatch(&stage.producer, tenant(2), "mail").await;
    let of = async |owner: Uuid, id: Uuid| {
        let error = refused(stage.producer.query(WHY, &[&owner, &id]).await, "JQ005");
        (
            error.message().to_owned(),
            error.detail().map(str::to_owned),
            error.hint().map(str::to_owned),
        )
    };
    assert_eq!(of(tenant(1), id).await, of(tenant(1), Uuid::nil()).await);
    let nobody: Option<Uuid> = None;
    refused(stage.producer.query(WHY, &[&nobody, &id]).await, "JQ002");
    assert_eq!(
        why(&stage.operator, None, id).await[0].reason,
        "behind",
        "an operator need not name it"
    );
    refused(stage.operator.query(WHY, &[&nobody, &Uuid::nil()]).await, "JQ005");
    let sql = "select fairclaim.why_waiting($1, null)";
    refused(stage.producer.query(sql, &[&tenant(1)]).await, "JQ004");
}

/// Sets a limit or a rate as the owner, and lets ticks put it into effect.
async fn limit(stage: &Stage, subject: &str, owner: Uuid, queue: &str, what: &str) {
    let owned = format!(
        "insert into fairclaim_internal.running_limit (subject, tenant_id, queue, {what}) values ('{subject}', '{owner}', '{queue}', "
    );
    let values = if what == "max_running" { "2)" } else { "1, 60, 1)" };
    stage.db.owner().await.batch_execute(&format!("{owned}{values}")).await.expect("a limit");
    for _ in 0..4 {
        stage.refresh(1).await;
    }
}

#[tokio::test]
async fn every_limit_is_told_by_its_kind_with_how_many_run() {
    let nobody = Uuid::nil();
    for (subject, owner, queue, reason, kind) in [
        ("tenant", tenant(1), "", "tenant_limit", "tenant"),
        ("tenant", tenant(1), "default", "tenant_limit", "tenant_queue"),
        ("default", nobody, "", "tenant_limit", "default"),
        ("default", nobody, "default", "tenant_limit", "default_queue"),
        ("queue", nobody, "default", "queue_limit", "queue"),
    ] {
        let stage = Stage::new().await;
        limit(&stage, subject, owner, queue, "max_running").await;
        dispatch_many(&stage.producer, tenant(1), "default", "mail", 3).await;
        let id = dispatch(&stage.producer, tenant(1), "mail").await;
        assert_eq!(reasons(&stage, id).await, ["behind"], "{kind}: there is room");
        let jobs = claim_jobs(&stage.worker, 10, &mut None).await;
        assert_eq!(jobs.len(), 2, "{kind}");
        stage.refresh(6).await;
        let rows = stage.producer.query(WHY, &[&tenant(1), &id]).await.expect("why_waiting");
        let told: (String, String, i32, i32) =
            (rows[0].get(0), rows[0].get(5), rows[0].get(6), rows[0].get(7));
        assert_eq!(told, (reason.to_owned(), kind.to_owned(), 2, 2));
        assert!(rows[0].get::<_, &str>(1).contains("2 of 2 running"), "{:?}", rows[0]);
        assert_eq!(rows[1].get::<_, &str>(0), "behind");

        let wanted = json!([{"kind": kind, "max_running": 2, "running": 2}]);
        let call = if subject == "queue" { "queue_stats()" } else { "tenant_stats()" };
        let sql = format!("select limits from fairclaim.{call}");
        let limits: serde_json::Value =
            stage.operator.query_one(&sql, &[]).await.expect(&sql).get(0);
        assert_eq!(limits, wanted, "{kind}");
        settle(&stage.worker, &jobs[0], "complete").await;
        assert_eq!(reasons(&stage, id).await, ["behind"], "{kind}: there is room again");
    }
}

#[tokio::test]
async fn a_rate_that_is_used_up_says_when_there_is_room() {
    let nobody = Uuid::nil();
    for (subject, owner, queue, reason) in [
        ("tenant", tenant(1), "", "tenant_rate"),
        ("default", nobody, "default", "tenant_rate"),
        ("queue", nobody, "default", "queue_rate"),
    ] {
        let stage = Stage::new().await;
        limit(&stage, subject, owner, queue, "units, period, burst").await;
        dispatch_many(&stage.producer, tenant(1), "default", "mail", 1).await;
        let id = dispatch(&stage.producer, tenant(1), "mail").await;
        assert_eq!(reasons(&stage, id).await, ["behind"], "{subject}: there is room");
        let jobs = claim_jobs(&stage.worker, 10, &mut None).await;
        assert_eq!(jobs.len(), 1, "{subject}");
        settle_all(&stage.worker, &jobs, "complete").await;
        stage.db.advance("20 s").await;
        let told = why(&stage.producer, Some(tenant(1)), id).await;
        assert_eq!((told[0].reason.as_str(), told[0].due_in), (reason, Some(40.0)));
        assert_eq!(told[0].detail, "the rate of 1 job in 60 s is used up: due in 40 s");
        stage.db.advance("41 s").await;
        assert_eq!(reasons(&stage, id).await, ["behind"], "{subject}: there is room again");
    }
}

#[tokio::test]
async fn a_pause_of_the_tenant_is_told_and_not_as_a_limit() {
    let stage = Stage::new().await;
    let operator = stage.db.operator().await;
    let id = dispatch(&stage.producer, tenant(1), "mail").await;
    let pause = "select from fairclaim.pause_tenant($1)";
    operator.execute(pause, &[&tenant(1)]).await.expect("pause_tenant");
    assert_eq!(reasons(&stage, id).await, ["tenant_paused", "behind"]);
    let resume = "select from fairclaim.resume_tenant($1)";
    operator.execute(resume, &[&tenant(1)]).await.expect("resume_tenant");
    assert_eq!(reasons(&stage, id).await, ["behind"]);
}

#[tokio::test]
async fn a_job_that_waits_for_its_key_says_how_many_go_before_it() {
    let stage = Stage::new().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let job = json!({"tenant_id": tenant(1), "type": "import", "key": "account"});
        ids.push(dispatch_object(&stage.producer, job).await);
    }
    stage.db.advance("1 s").await;
    tick(&stage.worker).await;
    let first = why(&stage.producer, Some(tenant(1)), ids[0]).await;
    assert_eq!(first[0].reason, "behind", "the first of its key has left: {first:?}");
    for (id, ahead) in [(ids[1], 0), (ids[2], 1)] {
        let told = why(&stage.producer, Some(tenant(1)), id).await;
        assert_eq!((told[0].reason.as_str(), told[0].position), ("key", Some(ahead)), "{told:?}");
    }
}

#[tokio::test]
async fn a_type_that_no_known_worker_handles_is_told_once_workers_report() {
    let stage = Stage::new().await;
    let id = dispatch(&stage.producer, tenant(1), "mail").await;
    assert_eq!(reasons(&stage, id).await, ["behind"], "no worker has reported");
    for (types, expected) in
        [(vec!["other"], vec!["unhandled", "behind"]), (vec!["other", "mail"], vec!["behind"])]
    {
        let sql = "select from fairclaim.report_work('w', 'host', '1', array['default'], array[4], $1, 60)";
        stage.worker.execute(sql, &[&types]).await.expect("report_work");
        assert_eq!(reasons(&stage, id).await, expected);
    }
}
