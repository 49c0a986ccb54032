//! `why_idle`: what keeps the jobs of a queue from a worker.

use serde_json::json;

use crate::{
    calls::{dispatch_batch, dispatch_many, refused, tenant},
    support::{Client, TestDb},
};

/// Reason, queue, type, and how many jobs.
type Told = (String, String, Option<String>, i32);

async fn why(worker: &Client, queues: &[&str], types: &[&str]) -> Vec<Told> {
    let sql = "select reason, queue, type, jobs, at_least, due_in from fairclaim.why_idle($1, $2)";
    let rows = worker.query(sql, &[&queues, &types]).await.expect("why_idle");
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2), row.get(3))).collect()
}

fn told(reason: &str, queue: &str, job_type: &str, jobs: i32) -> Told {
    let job_type = (!job_type.is_empty()).then(|| job_type.to_owned());
    (reason.to_owned(), queue.to_owned(), job_type, jobs)
}

#[tokio::test]
async fn it_tells_what_waits_for_others_what_is_paused_and_what_is_due_later() {
    let db = TestDb::new().await;
    let (producer, operator, worker) =
        (db.producer().await, db.operator().await, db.worker().await);
    let mut jobs = Vec::new();
    for (queue, job_type) in
        [("mail", "send"), ("mail", "send"), ("mail", "bill"), ("slow", "send")]
    {
        jobs.push(json!({"tenant_id": tenant(1), "queue": queue, "type": job_type}));
    }
    dispatch_batch(&producer, &jobs).await;
    let delayed =
        "select fairclaim.dispatch_job(p_tenant_id => $1, p_type => 'send', p_queue => 'mail',
                     p_run_at => fairclaim.clock() + interval '1 hour')";
    producer.query_one(delayed, &[&tenant(2)]).await.expect("dispatch_job");
    operator.query("select fairclaim.pause_queue('slow')", &[]).await.expect("pause_queue");

    assert_eq!(
        why(&worker, &["mail", "slow"], &["send"]).await,
        [
            told("paused", "slow", "", 1),
            told("unhandled", "mail", "bill", 1),
            told("waiting", "mail", "send", 2),
            told("scheduled", "mail", "send", 1),
        ]
    );
    let due =
        "select due_in from fairclaim.why_idle('{mail}', '{send}') where reason = 'scheduled'";
    let due: f64 = worker.query_one(due, &[]).await.expect("why_idle").get(0);
    assert!((3500.0..=3600.0).contains(&due), "{due}");
    let all: i64 = worker
        .query_one("select count(*) from fairclaim.why_idle() where reason = 'waiting'", &[])
        .await
        .expect("why_idle")
        .get(0);
    assert_eq!(all, 2, "without names it is about every queue that is in use and every type");
}

#[tokio::test]
async fn a_queue_that_nobody_uses_is_told_with_those_in_use() {
    let db = TestDb::new().await;
    let (producer, worker) = (db.producer().await, db.worker().await);
    assert_eq!(why(&worker, &["defualt"], &["send"]).await, [told("unseen", "defualt", "", 0)]);
    dispatch_many(&producer, tenant(1), "default", "send", 1).await;
    assert_eq!(
        why(&worker, &["defualt"], &["send"]).await,
        [told("unseen", "defualt", "", 0), told("in_use", "default", "", 0)]
    );
}

#[tokio::test]
async fn its_numbers_are_lower_bounds_where_there_is_much() {
    let db = TestDb::new().await;
    let (producer, worker) = (db.producer().await, db.worker().await);
    dispatch_many(&producer, tenant(1), "mail", "bill", 1500).await;
    let sql = "select jobs, at_least from fairclaim.why_idle('{mail}', '{send}')";
    let row = worker.query_one(sql, &[]).await.expect("why_idle");
    assert_eq!((row.get::<_, i32>(0), row.get::<_, bool>(1)), (1000, true));
}

#[tokio::test]
async fn lists_that_name_nothing_are_refused_and_only_workers_may_ask() {
    let db = TestDb::new().await;
    let worker = db.worker().await;
    for (arguments, field) in [
        ("'{}', null", "p_queues"),
        ("array[null::text], null", "p_queues"),
        ("null, '{}'", "p_types"),
        ("null, array(select n::text from generate_series(1, 1001) n)", "p_types"),
    ] {
        let sql = format!("select * from fairclaim.why_idle({arguments})");
        let error = refused(worker.query(&sql, &[]).await, "JQ004");
        assert!(error.message().contains(field), "{arguments}: {error}");
    }
    let producer = db.producer().await;
    refused(producer.query("select * from fairclaim.why_idle()", &[]).await, "42501");
}
