//! The nine lines of the contract that the product comes from: one acceptance test each, named after its line.

mod race;
mod tenants;

use serde_json::{Value, json};
use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::calls::{
    Claimed, Settled, claim_job, claim_jobs, dispatch, dispatch_many, dispatch_object, refused,
    settle, settle_after, tenant, tick,
};
use crate::support::{Client, TestDb};

const ORIGIN_COLUMNS: [(&str, Type); 11] = [
    ("id", Type::UUID),
    ("tenant_id", Type::UUID),
    ("type", Type::TEXT),
    ("status", Type::TEXT),
    ("payload", Type::JSONB),
    ("result", Type::JSONB),
    ("worker_id", Type::TEXT),
    ("attempts", Type::INT4),
    ("next_retry_at", Type::TIMESTAMPTZ),
    ("created_at", Type::TIMESTAMPTZ),
    ("completed_at", Type::TIMESTAMPTZ),
];

/// (status, worker_id, attempts) of a job as an auditor sees it.
async fn seen(auditor: &Client, id: Uuid) -> (String, Option<String>, i32) {
    let row = auditor
        .query_one(
            "select status, worker_id, attempts from fairclaim.job_queue where id = $1",
            &[&id],
        )
        .await
        .expect("job_queue");
    (row.get(0), row.get(1), row.get(2))
}

#[tokio::test]
async fn line_1_claim_job_selects_one_pending_job_with_skip_locked() {
    let db = TestDb::new().await;
    let (producer, auditor) = (db.producer().await, db.auditor().await);
    let (mut first, second) = (db.worker().await, db.worker().await);
    let id = dispatch(&producer, tenant(1), "mail").await;
    assert_eq!(seen(&auditor, id).await, ("pending".into(), None, 0));

    // one transaction: while it is open nobody sees the change, and nobody waits for it
    let open = first.transaction().await.expect("begin");
    let row =
        open.query_one("select * from fairclaim.claim_job('w1')", &[]).await.expect("claim_job");
    assert_eq!(row.get::<_, Uuid>("id"), id);
    assert_eq!(row.get::<_, &str>("status"), "processing");
    assert_eq!(row.get::<_, &str>("worker_id"), "w1");
    assert_eq!(row.get::<_, i32>("attempts"), 1);
    second.batch_execute("set lock_timeout = '1s'").await.expect("set");
    assert!(claim_job(&second, "w2").await.is_none(), "a locked job must be skipped");
    assert_eq!(seen(&auditor, id).await, ("pending".into(), None, 0));

    open.rollback().await.expect("rollback");
    assert_eq!(seen(&auditor, id).await, ("pending".into(), None, 0));
    let claimed = claim_job(&second, "w2").await.expect("the job is free again");
    assert_eq!((claimed.id, claimed.attempts), (id, 1));
    assert_eq!(seen(&auditor, id).await, ("processing".into(), Some("w2".into()), 1));
    assert!(claim_job(&first, "w1").await.is_none(), "only one pending job was there");
}

#[tokio::test]
async fn line_2_no_job_gives_an_empty_set_and_nobody_waits() {
    let db = TestDb::new().await;
    let producer = db.producer().await;
    let (mut first, second) = (db.worker().await, db.worker().await);
    second.batch_execute("set lock_timeout = '1s'").await.expect("set");
    assert!(claim_job(&second, "w").await.is_none());
    assert!(claim_jobs(&second, 100, &mut None).await.is_empty());

    // rows of a shared lane (two tenants with two) and of own lanes (one with twelve)
    for n in 1..=2 {
        dispatch(&producer, tenant(n), "mail").await;
        dispatch(&producer, tenant(n), "mail").await;
    }
    dispatch_many(&producer, tenant(3), "default", "mail", 12).await;
    let open = first.transaction().await.expect("begin");
    let held = claim_jobs(&open, 10, &mut None).await;
    assert_eq!(held.len(), 10);
    let mut ids: Vec<Uuid> = held.iter().map(|job| job.id).collect();
    let rest = claim_jobs(&second, 100, &mut None).await;
    assert_eq!(rest.len(), 6, "every job that is not locked is claimable");
    assert!(claim_job(&second, "w").await.is_none(), "what is left is locked");
    ids.extend(rest.iter().map(|job| job.id));
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 16);
    open.commit().await.expect("commit");
    assert!(claim_job(&second, "w").await.is_none());
}

#[tokio::test]
async fn line_4_the_row_has_the_columns_of_the_origin() {
    let db = TestDb::new().await;
    let (producer, worker, auditor) = (db.producer().await, db.worker().await, db.auditor().await);
    let id = dispatch_object(
        &producer,
        json!({"tenant_id": tenant(1), "type": "Mail.Send", "payload": {"to": "a@b.example"}}),
    )
    .await;
    for (who, sql) in [
        (&auditor, "select * from fairclaim.job_queue"),
        (&worker, "select * from fairclaim.claim_job('w')"),
        (&worker, "select * from fairclaim.claim_jobs('w', null, 1)"),
    ] {
        let statement = who.prepare(sql).await.expect("prepare");
        for (name, wanted) in &ORIGIN_COLUMNS {
            let column = statement.columns().iter().find(|column| column.name() == *name);
            let column = column.unwrap_or_else(|| panic!("{sql} lacks {name}"));
            assert_eq!(column.type_(), wanted, "{name} of {sql}");
        }
    }

    let row =
        worker.query_one("select * from fairclaim.claim_job('w')", &[]).await.expect("claim_job");
    assert_eq!(row.get::<_, Uuid>("id"), id);
    assert_eq!(row.get::<_, Uuid>("tenant_id"), tenant(1));
    assert_eq!(row.get::<_, &str>("type"), "Mail.Send");
    assert_eq!(row.get::<_, Value>("payload"), json!({"to": "a@b.example"}));
    settle_with_result(&worker, &Claimed::from(&row), &json!({"sent": true})).await;
    let row = auditor.query_one("select * from fairclaim.job_queue", &[]).await.expect("job_queue");
    assert_eq!(row.get::<_, &str>("status"), "completed");
    assert_eq!(row.get::<_, Value>("payload"), json!({"to": "a@b.example"}));
    assert_eq!(row.get::<_, Option<Value>>("result"), Some(json!({"sent": true})));
    let times = "select created_at <= completed_at and completed_at <= clock_timestamp(), next_retry_at is null from fairclaim.job_queue";
    let row = auditor.query_one(times, &[]).await.expect("job_queue");
    assert_eq!((row.get(0), row.get(1)), (Some(true), Some(true)));
}

/// Completes an attempt with a result.
async fn settle_with_result(worker: &Client, job: &Claimed, result: &Value) {
    let row = worker
        .query_one(
            "select kind = 'settled', status from fairclaim.settle_jobs('worker', array[$1::uuid], array[$2::int], array[$3::uuid],
               array['complete'], array[$4::jsonb::text])",
            &[&job.id, &job.attempts, &job.token, result],
        )
        .await
        .expect("settle_jobs");
    assert_eq!((row.get(0), row.get(1)), (true, Some("completed")));
}

#[tokio::test]
async fn line_6_worker_id_is_recorded_and_hostile_text_does_no_harm() {
    let db = TestDb::new().await;
    let (producer, worker, auditor) = (db.producer().await, db.worker().await, db.auditor().await);
    let long = "w".repeat(255);
    let hostile = [
        "'; drop schema fairclaim cascade; --",
        "$1 $$ $body$ %s %I %% {} \\' \\\\",
        "w|1|2;default|0|0|0",
        "\u{202e}резник\u{feff} 漢字 🦀",
        "\"quoted\" <script>alert(1)</script>",
        long.as_str(),
    ];
    for name in hostile {
        let id = dispatch(&producer, tenant(1), "mail").await;
        let job = claim_job(&worker, name).await.expect("a job");
        assert_eq!(job.id, id);
        assert_eq!(seen(&auditor, id).await, ("processing".into(), Some(name.into()), 1));
        let row = worker
            .query_one(
                "select status from fairclaim.settle_jobs($1, array[$2::uuid], array[1], array[$3::uuid], array['complete'])",
                &[&name, &job.id, &job.token],
            )
            .await
            .expect("settle_jobs");
        assert_eq!(row.get::<_, &str>(0), "completed");
        assert_eq!(seen(&auditor, id).await, ("completed".into(), Some(name.into()), 1));
    }
    let id = dispatch(&producer, tenant(1), "mail").await;
    let too_long = "w".repeat(256);
    for bad in ["", "two\nlines", "tab\t", "\u{1b}[31mred", "\u{7f}", too_long.as_str()] {
        let error =
            refused(worker.query("select * from fairclaim.claim_job($1)", &[&bad]).await, "JQ004");
        assert!(error.message().starts_with("p_worker_id: "), "{}", error.message());
    }
    refused(worker.query("select * from fairclaim.claim_job(null)", &[]).await, "JQ004");
    assert_eq!(seen(&auditor, id).await, ("pending".into(), None, 0));
}

#[tokio::test]
async fn line_7_attempts_drives_retries_with_next_retry_at() {
    let db = TestDb::with_test_clock().await;
    let (producer, worker, auditor) = (db.producer().await, db.worker().await, db.auditor().await);
    let owner = db.owner().await;
    let id = dispatch_object(
        &producer,
        json!({"tenant_id": tenant(1), "type": "mail", "max_attempts": 4}),
    )
    .await;

    // 15 s, doubled by every failure, 20 % either way
    for (attempt, seconds) in [(1, 15.0), (2, 30.0), (3, 60.0)] {
        let job = claim_job(&worker, "w").await.expect("due");
        assert_eq!((job.id, job.attempts), (id, attempt));
        assert_eq!(settle(&worker, &job, "retry").await, Settled::as_status("scheduled"));
        let row = owner
            .query_one(
                "select q.status, q.attempts, extract(epoch from q.next_retry_at - e.at)::float8
                   from fairclaim.job_queue q join fairclaim_internal.attempt_error e on e.id = q.id and e.attempt = q.attempts",
                &[],
            )
            .await
            .expect("job_queue");
        assert_eq!((row.get(0), row.get(1)), ("scheduled", attempt));
        let wait: f64 = row.get(2);
        assert!(
            (seconds * 0.8..=seconds * 1.2).contains(&wait),
            "{wait} s after attempt {attempt}"
        );

        tick(&worker).await;
        assert!(claim_job(&worker, "w").await.is_none(), "not before next_retry_at");
        db.advance(&format!("{} s", seconds * 1.2 + 1.0)).await;
        tick(&worker).await;
    }
    let job = claim_job(&worker, "w").await.expect("due");
    assert_eq!((job.attempts, job.attempts_left), (4, 1));
    assert_eq!(settle_after(&worker, &job, "retry", Some(5.0)).await, Settled::as_status("failed"));
    assert_eq!(seen(&auditor, id).await, ("failed".into(), Some("worker".into()), 4));
    assert!(claim_job(&worker, "w").await.is_none());
}
