//! Lines of a source: each is dispatched once, whoever repeats them.

use std::time::Duration;

use crate::support::{Client, GenericClient};
use serde_json::{Value, json};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    calls::{refused, tenant},
    support::{TestDb, waiting},
};

/// What the function answered: accepted, lines, dispatched, refused.
type Answer = (bool, i64, i64, i64);

const CALL: &str = "select * from fairclaim.dispatch_lines('file', $1, $2, $3)";

fn answer(row: &Row) -> Answer {
    (row.get("accepted"), row.get("lines"), row.get("dispatched"), row.get("refused"))
}

fn jobs(lines: std::ops::Range<i64>) -> Value {
    lines.map(|n| json!({"tenant_id": tenant(1), "type": "mail", "payload": n})).collect()
}

async fn send(producer: &impl GenericClient, after: i64, through: i64, jobs: &Value) -> Answer {
    answer(&producer.query_one(CALL, &[&after, &through, jobs]).await.expect("dispatch_lines"))
}

/// The payloads of all jobs, in the order of their dispatch.
async fn payloads(db: &TestDb) -> Vec<i64> {
    let sql = "select coalesce(array_agg(j.payload::text::bigint order by j.id), '{}') from fairclaim_internal.job j";
    db.owner().await.query_one(sql, &[]).await.expect("job").get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stretch_that_is_sent_again_is_dispatched_once() {
    let db = TestDb::new().await;
    let producer = db.producer().await;
    assert_eq!(send(&producer, 0, 0, &json!([])).await, (false, 0, 0, 0), "a question");
    assert_eq!(send(&producer, 0, 3, &jobs(0..3)).await, (true, 3, 3, 0));
    assert_eq!(send(&producer, 0, 3, &jobs(0..3)).await, (false, 3, 3, 0));
    assert_eq!(send(&producer, 2, 4, &jobs(2..4)).await, (false, 3, 3, 0), "begins too early");
    assert_eq!(send(&producer, 4, 5, &jobs(4..5)).await, (false, 3, 3, 0), "begins too late");
    assert_eq!(send(&producer, 3, 3, &json!([])).await, (false, 3, 3, 0));
    assert_eq!(send(&producer, 3, 5, &jobs(3..5)).await, (true, 5, 5, 0));
    assert_eq!(payloads(&db).await, [0, 1, 2, 3, 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_without_a_job_move_the_source_on_and_refused_ones_are_counted() {
    let db = TestDb::new().await;
    let producer = db.producer().await;
    let call = "select * from fairclaim.dispatch_lines('file', $1, $2, $3, p_refused => $4)";
    let stretches: [(i64, i64, Value, i32, Answer); 3] = [
        (0, 4, jobs(0..1), 2, (true, 4, 1, 2)),
        (4, 9, json!([]), 5, (true, 9, 1, 7)),
        (9, 12, json!([]), 0, (true, 12, 1, 7)),
    ];
    for (after, through, jobs, refused, expected) in stretches {
        let row = producer.query_one(call, &[&after, &through, &jobs, &refused]).await;
        assert_eq!(answer(&row.expect("dispatch_lines")), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_batch_moves_nothing() {
    let db = TestDb::new().await;
    let producer = db.producer().await;
    assert!(send(&producer, 0, 1, &jobs(0..1)).await.0);
    let bad = json!([{"tenant_id": tenant(1), "type": "mail"}, {"tenant_id": tenant(1), "type": "no spaces"}]);
    let error = refused(producer.query(CALL, &[&1_i64, &3_i64, &bad]).await, "JQ004");
    assert!(error.message().starts_with("p_jobs[1].type"), "{}", error.message());
    assert_eq!(send(&producer, 0, 0, &json!([])).await, (false, 1, 1, 0));
    assert_eq!(payloads(&db).await, [0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_takes_jobs_and_progress_back_together() {
    let db = TestDb::new().await;
    let mut producer = db.producer().await;
    let transaction = producer.transaction().await.expect("begin");
    assert!(send(&transaction, 0, 2, &jobs(0..2)).await.0);
    transaction.rollback().await.expect("rollback");
    assert_eq!(send(&producer, 0, 2, &jobs(0..2)).await, (true, 2, 2, 0));
    assert_eq!(payloads(&db).await, [0, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn arguments_out_of_their_limits_are_named() {
    let db = TestDb::new().await;
    let producer = db.producer().await;
    for (field, arguments) in [
        ("p_source", "null, 0, 1, '[]'"),
        ("p_source", "'', 0, 1, '[]'"),
        ("p_source", "repeat('s', 256), 0, 1, '[]'"),
        ("p_after", "'s', null, 1, '[]'"),
        ("p_after", "'s', -1, 1, '[]'"),
        ("p_through", "'s', 0, null, '[]'"),
        ("p_through", "'s', 2, 1, '[]'"),
        ("p_jobs", "'s', 0, 1, null"),
        ("p_jobs", "'s', 0, 1, '{}'"),
        ("p_jobs", "'s', 0, 1, '[{}, {}]'"),
        ("p_jobs", "'s', 0, 1, '[]', 2"),
        ("p_refused", "'s', 0, 1, '[]', null"),
        ("p_refused", "'s', 0, 1, '[]', -1"),
        ("p_digest", "'s', 0, 1, '[]', p_digest => ''"),
        ("p_digest", "'s', 0, 1, '[]', p_digest => convert_to(repeat('x', 65), 'UTF8')"),
        ("p_defaults", "'s', 0, 1, '[]', p_defaults => ''"),
        ("p_defaults", "'s', 0, 1, '[]', p_defaults => convert_to(repeat('x', 65), 'UTF8')"),
        ("p_anew", "'s', 0, 1, '[]', p_anew => null"),
        ("p_anew", "'s', 1, 2, '[]', p_anew => true"),
    ] {
        let call = format!("select * from fairclaim.dispatch_lines({arguments})");
        let error = refused(producer.query(&call, &[]).await, "JQ004");
        assert!(error.message().starts_with(field), "{arguments}: {}", error.message());
        assert!(error.hint().is_some());
    }
    let rows =
        db.owner().await.query("select from fairclaim_internal.dispatch_progress", &[]).await;
    assert_eq!(rows.expect("dispatch_progress").len(), 0, "nothing was written");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_producers_send_lines_and_each_login_has_sources_of_its_own() {
    let db = TestDb::new().await;
    for login in ["test_worker", "test_tenant", "test_operator", "test_auditor", "test_stranger"] {
        let session = db.session(login).await;
        refused(session.query(CALL, &[&0_i64, &1_i64, &jobs(0..1)]).await, "42501");
    }
    let first = db.producer().await;
    refused(first.query("select * from fairclaim_internal.dispatch_progress", &[]).await, "42501");
    assert!(send(&first, 0, 2, &jobs(0..2)).await.0);
    // roles belong to the server, which other tests share
    let (installer, login) =
        (db.installer().await, format!("test_second_{}", Uuid::new_v4().simple()));
    let make = format!("create role {login} login in role fairclaim_producer");
    installer.batch_execute(&make).await.expect("create role");
    let second = db.session(&login).await;
    assert_eq!(send(&second, 0, 1, &jobs(7..8)).await, (true, 1, 1, 0));
    assert_eq!(send(&first, 2, 2, &json!([])).await, (false, 2, 2, 0));
    installer.batch_execute(&format!("drop role {login}")).await.expect("drop role");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_send_the_same_stretch_at_once_dispatch_it_once() {
    let db = TestDb::new().await;
    let (mut first, second) = (db.producer().await, db.producer().await);
    let watcher = db.owner().await;
    watcher.batch_execute("reset role").await.expect("reset role");
    let open = first.transaction().await.expect("begin");
    assert!(send(&open, 0, 2, &jobs(0..2)).await.0);

    let process = waiting::process_of(&second).await;
    let other = tokio::spawn(async move { send(&second, 0, 2, &jobs(0..2)).await });
    let blocked = "select cardinality(pg_blocking_pids($1)) > 0";
    waiting::until("the second caller waits", Duration::from_secs(60), || async {
        let row = watcher.query_one(blocked, &[&process]).await.expect("pg_blocking_pids");
        row.get::<_, bool>(0).then_some(())
    })
    .await;
    open.commit().await.expect("commit");
    assert_eq!(other.await.expect("the second"), (false, 2, 2, 0));
    assert_eq!(payloads(&db).await, [0, 1]);
}

/// Whoever was killed while his batch ran must not be told, when he asks again, where the source stood before it.
#[tokio::test(flavor = "multi_thread")]
async fn a_question_waits_for_a_stretch_that_is_being_sent() {
    let db = TestDb::new().await;
    let mut first = db.producer().await;
    let watcher = db.owner().await;
    watcher.batch_execute("reset role").await.expect("reset role");
    for (after, through) in [(0, 2), (2, 5)] {
        let open = first.transaction().await.expect("begin");
        assert!(send(&open, after, through, &jobs(after..through)).await.0);
        let second = db.producer().await;
        let process = waiting::process_of(&second).await;
        let other = tokio::spawn(async move { send(&second, 0, 0, &json!([])).await });
        let blocked = "select cardinality(pg_blocking_pids($1)) > 0";
        waiting::until("the question waits", Duration::from_secs(60), || async {
            let row = watcher.query_one(blocked, &[&process]).await.expect("pg_blocking_pids");
            row.get::<_, bool>(0).then_some(())
        })
        .await;
        open.commit().await.expect("commit");
        assert_eq!(other.await.expect("the question"), (false, through, through, 0));
    }
    let rows =
        db.owner().await.query("select from fairclaim_internal.dispatch_progress", &[]).await;
    assert_eq!(rows.expect("dispatch_progress").len(), 1);
    assert_eq!(send(&first, 5, 5, &json!([])).await.1, 5);
}

/// Sends the lines up to `total` in stretches of its own size, and goes on where it is told that the source stands.
async fn race(producer: Client, size: i64, total: i64) {
    let mut at = 0;
    while at < total {
        let through = total.min(at + size);
        at = send(&producer, at, through, &jobs(at..through)).await.1;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_who_cut_a_source_differently_dispatch_each_line_once() {
    let db = TestDb::new().await;
    let mut races = tokio::task::JoinSet::new();
    for size in [1, 3, 7, 20] {
        races.spawn(race(db.producer().await, size, 300));
    }
    races.join_all().await;
    assert_eq!(payloads(&db).await, (0..300).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_is_forgotten_after_the_retention_and_not_before() {
    let db = TestDb::with_test_clock().await;
    let (producer, worker) = (db.producer().await, db.worker().await);
    let prune = async || {
        for _ in 0..3 {
            worker.query("select * from fairclaim.prune()", &[]).await.expect("prune");
        }
    };
    assert!(send(&producer, 0, 1, &jobs(0..1)).await.0);
    db.advance("6 days").await;
    assert!(send(&producer, 1, 2, &jobs(1..2)).await.0);
    db.advance("6 days").await;
    prune().await;
    assert_eq!(send(&producer, 0, 0, &json!([])).await.1, 2, "it moved 6 days ago");
    db.advance("2 days").await;
    prune().await;
    assert_eq!(send(&producer, 0, 0, &json!([])).await.1, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_retention_makes_no_source_forgotten() {
    let db = TestDb::with_test_clock().await;
    let (producer, operator) = (db.producer().await, db.operator().await);
    assert!(send(&producer, 0, 1, &jobs(0..1)).await.0);
    let prune = async |retention: &str| {
        let sql = format!(
            "select * from fairclaim.prune(extract(epoch from interval '{retention}')::float8)"
        );
        operator.query(&sql, &[]).await.expect("prune");
    };
    db.advance("6 days").await;
    prune("1 hour").await;
    assert_eq!(send(&producer, 0, 0, &json!([])).await.1, 1, "the setting is 7 days");
    db.advance("2 days").await;
    prune("30 days").await;
    assert_eq!(send(&producer, 0, 0, &json!([])).await.1, 1, "a longer one keeps it longer");
    prune("1 hour").await;
    assert_eq!(send(&producer, 0, 0, &json!([])).await.1, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_keeps_its_digests_and_takes_no_lines_with_other_defaults() {
    use fairclaim::{Lines, LinesProgress};

    let db = TestDb::new().await;
    let client = db.client("test_producer").await;
    let seen = |now: LinesProgress| (now.accepted, now.lines, now.digest, now.defaults);
    let lines = |after, through| Lines::of("file", after, through);
    let (one, two) = (Some([1; 32]), Some([2; 32]));
    let first = client.dispatch_lines(lines(0, 2).digest([1; 32]).defaults([1; 32])).await;
    assert_eq!(seen(first.expect("lines")), (true, 2, one, one));
    let other = client.dispatch_lines(lines(2, 3).digest([2; 32]).defaults([2; 32])).await;
    assert_eq!(seen(other.expect("lines")), (false, 2, one, one));
    let silent = client.dispatch_lines(lines(2, 3).digest([2; 32])).await;
    assert_eq!(seen(silent.expect("lines")), (true, 3, two, one), "it says nothing of defaults");
    let question = client.dispatch_lines(lines(0, 0)).await;
    assert_eq!(seen(question.expect("lines")), (false, 3, two, one));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_begins_anew_only_while_nothing_of_it_was_dispatched() {
    let db = TestDb::new().await;
    let producer = db.producer().await;
    let call = "select * from fairclaim.dispatch_lines('file', 0, $1, $2, p_refused => $3, p_defaults => $4, p_anew => true)";
    let anew = async |through: i64, jobs: Value, refused: i32, defaults: &[u8]| {
        let row = producer.query_one(call, &[&through, &jobs, &refused, &defaults]).await;
        answer(&row.expect("dispatch_lines"))
    };
    assert_eq!(anew(5, json!([]), 5, b"a").await, (true, 5, 0, 5));
    assert_eq!(anew(3, json!([]), 3, b"b").await, (true, 3, 0, 3));
    assert_eq!(anew(3, json!([]), 3, b"b").await, (true, 3, 0, 3), "repeated, it is the same");
    assert_eq!(anew(3, jobs(0..2), 1, b"b").await, (true, 3, 2, 1));
    assert_eq!(anew(3, jobs(0..2), 1, b"b").await, (false, 3, 2, 1));
    assert_eq!(anew(3, jobs(0..2), 1, b"c").await, (false, 3, 2, 1));
    assert_eq!(payloads(&db).await, [0, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_library_counts_delays_by_the_clock_of_the_database() {
    use fairclaim::{Dispatch, Lines, Tenant};

    let db = TestDb::with_test_clock().await;
    db.advance("1 year").await;
    let client = db.client("test_producer").await;
    let job = |n: i32| Dispatch::raw(Tenant::from(Uuid::nil()), "mail", n).expect("a job");
    let both = [job(1), job(2).delay(Duration::from_secs(3600))];
    let sent = client.dispatch_lines(Lines::of("file", 0, 2).jobs(&both)).await.expect("lines");
    assert!(sent.accepted);
    let sql = "select s.run_at - j.created_at < interval '61 minutes' and j.payload = '2'
                 from fairclaim_internal.scheduled s join fairclaim_internal.job j using (id)";
    let rows = db.owner().await.query(sql, &[]).await.expect("scheduled");
    assert_eq!(rows.iter().map(|row| row.get(0)).collect::<Vec<bool>>(), [true]);

    let bad = [job(3), job(4).queue("a\0")];
    let error = client.dispatch_lines(Lines::of("file", 2, 4).jobs(&bad)).await.expect_err("a NUL");
    assert_eq!((error.item(), error.field()), (Some(1), Some("queue")), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_is_measured_as_the_database_does_and_never_more_strictly() {
    use fairclaim::Dispatch;

    let db = TestDb::new().await;
    let client = db.client("test_producer").await;
    let now = client.clock().await.expect("clock");
    let all = json!({"a\"\\": [null, true, false, -17, 18_446_744_073_709_551_615_u64, [], {}, {"ü\u{1}\n\u{7f}": "\t€"}]});
    let job = |value: &Value, filler: usize| {
        let job =
            Dispatch::raw(Uuid::nil(), "mail", 1).expect("a job").metadata("v", value.clone());
        job.metadata("filler", "x".repeat(filler))
    };
    for (value, is_exact) in [(all, true), (json!([1.5, 1e300, -0.25]), false)] {
        let text: Value = json!({"v": value, "filler": ""});
        let sql = "select 16384 - octet_length($1::jsonb::text)";
        let row = db.owner().await.query_one(sql, &[&text]).await.expect("octet_length");
        let room = usize::try_from(row.get::<_, i32>(0)).expect("there is room");
        let (fits, does_not) = (job(&value, room), job(&value, room + 1));
        fits.verify(now).expect("it fits");
        client.dispatch(fits).await.expect("it fits");
        let refused = does_not.verify(now);
        assert_eq!(refused.is_err(), is_exact, "{refused:?}");
        let error = client.dispatch(does_not).await.expect_err("it does not fit").to_string();
        assert!(error.contains("metadata: must be at most 16384 bytes of JSON text"), "{error}");
    }
}
