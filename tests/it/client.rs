//! The library's client against a real server: dispatch in whatever transaction, tenants, errors.

mod bulk;
mod operator;
mod readme;
mod refusals;

use std::time::Duration;

use fairclaim::{Dispatch, Job, JobFilter, JobRow, Status, Tenant, dispatch_many_in};
use serde_json::json;
use uuid::Uuid;

use crate::{
    support::TestDb,
    worker::stage::{Stage, acme, job},
};

/// How many jobs there are, whatever became of them.
async fn count(stage: &Stage) -> usize {
    let filter = JobFilter { limit: Some(1000), ..JobFilter::default() };
    stage.operator.jobs(&filter).await.expect("jobs").jobs.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_and_the_callers_row_commit_or_roll_back_together() {
    let stage = Stage::new().await;
    stage.create_effects().await;
    let mut session = stage.db.producer().await;
    let insert = "insert into app.effect values ($1, 1)";
    for commit in [false, true] {
        let transaction = session.transaction().await.expect("begin");
        let id = job("mail", json!({})).execute(&transaction).await.expect("dispatch");
        transaction.execute(insert, &[&id]).await.expect("insert");
        let many = [job("mail", json!(1)), job("mail", json!(2))];
        let more = dispatch_many_in(&transaction, many).await.expect("dispatch_many_in");
        assert_eq!((count(&stage).await, stage.effects().await), (0, vec![]));
        if !commit {
            transaction.rollback().await.expect("rollback");
            assert_eq!((count(&stage).await, stage.effects().await), (0, vec![]));
            continue;
        }
        transaction.commit().await.expect("commit");
        assert_eq!((count(&stage).await, stage.effects().await), (3, vec![(id, 1)]));
        stage.until_all(&[id, more[0], more[1]], Status::Pending).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispatch_that_is_refused_takes_the_callers_row_with_it() {
    let stage = Stage::new().await;
    stage.create_effects().await;
    let mut connection = stage.producer.pool().get().await.expect("connection");
    let transaction = connection.transaction().await.expect("begin");
    let insert = "insert into app.effect values ($1, 1)";
    transaction.execute(insert, &[&Uuid::nil()]).await.expect("insert");
    let refused = job("mail", json!({})).priority(101).execute(&transaction).await;
    assert_eq!(refused.expect_err("a bad priority").code(), Some("JQ004"));
    let _ = transaction.commit().await; // of an aborted transaction: the server rolls it back
    assert_eq!((count(&stage).await, stage.effects().await), (0, vec![]));
}

/// Every default is another than the library's.
#[derive(serde::Serialize, serde::Deserialize)]
struct Bill {
    amount: i64,
}

impl Job for Bill {
    const TYPE: &'static str = "Bill";
    const QUEUE: &'static str = "billing";
    const PRIORITY: i32 = 7;
    const MAX_ATTEMPTS: i32 = 3;
    const TIMEOUT: Option<Duration> = Some(Duration::from_millis(1500));
}

/// Dispatches a job by itself, in a batch, and in a transaction of the caller.
async fn every_way(stage: &Stage, dispatch: &Dispatch) -> [JobRow; 3] {
    let alone = stage.producer.dispatch(dispatch.clone()).await.expect("dispatch");
    let batch = stage.producer.dispatch_many([dispatch.clone()]).await.expect("dispatch_many")[0];
    let session = stage.db.producer().await;
    let whole = dispatch.clone().execute(&*session).await.expect("execute");
    [stage.job(alone).await, stage.job(batch).await, stage.job(whole).await]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_typed_job_has_the_defaults_of_its_type() {
    let stage = Stage::new().await;
    let dispatch = Dispatch::new(acme(), &Bill { amount: 12 }).expect("a payload");
    for row in every_way(&stage, &dispatch).await {
        assert_eq!(
            (row.job_type.as_str(), row.queue.as_str(), row.priority),
            ("Bill", "billing", 7)
        );
        assert_eq!((row.max_attempts, row.timeout), (3, Bill::TIMEOUT));
        assert_eq!((row.tenant_id, row.payload), (acme(), Some(json!({"amount": 12}))));
        assert_eq!((row.status, row.attempts, row.next_retry_at), (Status::Pending, 0, None));
        assert_eq!((row.tags, row.metadata), (vec![], Some(json!({}))));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_without_a_type_has_the_defaults_of_the_library() {
    let stage = Stage::new().await;
    for row in every_way(&stage, &job("mail", json!([1]))).await {
        assert_eq!((row.queue.as_str(), row.priority, row.max_attempts), ("default", 0, 25));
        assert_eq!((row.timeout, row.payload), (None, Some(json!([1]))));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dispatch_says_wins_over_its_type() {
    let stage = Stage::new().await;
    let at = stage.producer.clock().await.expect("clock") + Duration::from_secs(7200);
    let dispatch = Dispatch::new(acme(), &Bill { amount: 12 })
        .expect("a payload")
        .queue("eu:mail")
        .priority(-100)
        .run_at(at)
        .max_attempts(100)
        .timeout(Duration::from_millis(86_399_999))
        .tag("first")
        .tag("zweiter ✓")
        .metadata("trace", "t-1")
        .metadata("nested", json!({"a": [1]}));
    for row in every_way(&stage, &dispatch).await {
        assert_eq!((row.queue.as_str(), row.priority, row.max_attempts), ("eu:mail", -100, 100));
        assert_eq!(row.timeout, Some(Duration::from_millis(86_399_999)));
        assert_eq!(row.tags, ["first", "zweiter ✓"]);
        assert_eq!(row.metadata, Some(json!({"trace": "t-1", "nested": {"a": [1]}})));
        let due = row.next_retry_at.expect("it is due later");
        let off = due.duration_since(at).unwrap_or_else(|earlier| earlier.duration());
        assert!(off < Duration::from_micros(1) && row.status == Status::Scheduled, "{off:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delay_counts_from_now_by_the_clock_of_the_database() {
    let stage = Stage::on(TestDb::with_test_clock().await).await;
    stage.db.advance("10 days").await;
    let minute = Duration::from_secs(60);
    for row in every_way(&stage, &job("mail", json!({})).delay(minute)).await {
        let due = row.next_retry_at.expect("it is due later");
        let wait = due.duration_since(row.created_at).expect("later");
        assert!((minute..2 * minute).contains(&(wait + Duration::from_secs(1))), "{wait:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_jobs_get_their_ids_in_their_order() {
    let stage = Stage::new().await;
    assert!(stage.producer.dispatch_many([]).await.expect("nothing to do").is_empty());
    let ids = stage.dispatch_many("mail", "mail", 300).await;
    assert_eq!(ids.len(), 300);
    for n in [0_usize, 1, 150, 299] {
        assert_eq!(stage.job(ids[n]).await.payload, Some(json!(n)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_jobs_all_are_dispatched_or_none() {
    let stage = Stage::new().await;
    for (good, index) in [(3, 3), (10_000, 10_000)] {
        // the second list travels in two calls, and only the second call is refused
        let jobs =
            (0..=good).map(|n| job("mail", json!(n)).priority(if n == good { 101 } else { 0 }));
        let error = stage.producer.dispatch_many(jobs).await.expect_err("a bad priority");
        assert_eq!(error.code(), Some("JQ004"));
        assert_eq!((error.field(), error.item()), (Some("priority"), Some(index)), "{error}");
        assert_eq!(count(&stage).await, 0);
    }
    let ids = stage.producer.dispatch_many((0..10_001).map(|n| job("mail", json!(n)))).await;
    let ids = ids.expect("all of them");
    assert_eq!(stage.job(ids[10_000]).await.payload, Some(json!(10_000)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenants_name_means_the_same_uuid_in_sql() {
    let db = TestDb::new().await;
    let session = db.producer().await;
    let uuid = "0192F0C1-2345-7ABC-8def-0123456789ab";
    let long = ["x".repeat(255), "é".repeat(127), "𝄞".repeat(63)];
    let names = [
        "acme",
        "Acme",
        " acme",
        "42",
        "-1",
        "a'b\"c\\d",
        "Ünïcödé",
        "e\u{301}",
        "é",
        "客户",
        "🦀",
        uuid,
        "0192f0c123457abc8def0123456789ab",
        "{0192f0c1-2345-7abc-8def-0123456789ab}",
        "00000000-0000-0000-0000-000000000000",
        "0192f0c1-2345-7abc-8def-0123456789az",
    ];
    for name in names.into_iter().chain(long.iter().map(String::as_str)) {
        let query = "select fairclaim.tenant_uuid($1::text)";
        let in_sql: Uuid = session.query_one(query, &[&name]).await.expect("tenant_uuid").get(0);
        assert_eq!(Tenant::named(name).expect("a name").uuid(), in_sql, "{name:?}");
    }
    let unprintable = Tenant::named("new\nline").expect_err("no name to be shown");
    assert_eq!(unprintable.code(), Some("JQ004"));
    for name in [String::new(), "x".repeat(256), "é".repeat(128)] {
        let query = "select fairclaim.tenant_uuid($1::text)";
        let refused = session.query_one(query, &[&name]).await;
        crate::calls::refused(refused, "JQ004");
        assert_eq!(Tenant::named(&name).expect_err("no name").code(), Some("JQ004"));
    }
}
