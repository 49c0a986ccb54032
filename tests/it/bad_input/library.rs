//! The Rust client and the worker's set-up: each refusal is typed, has a way out where there is one, and says nothing of what
//! was sent. A job is refused alike alone and in a batch, there with its index.

use std::time::{Duration, SystemTime};

use fairclaim::{
    Attempt, Client, ConnectOptions, Dispatch, Error, ErrorKind, JobError, JobFilter, RawJob,
    Tenant, WorkerBuilder,
};
use serde_json::{json, value::RawValue};
use uuid::Uuid;

use super::{MARK, stage::Stage};
use crate::worker::stage::{acme, job};

const TYPE: &str = "must match ^[A-Za-z0-9][A-Za-z0-9_.:-]*$ and have at most 64 characters";
const QUEUE: &str = "must match ^[a-z0-9][a-z0-9_.:-]*$ and have at most 64 characters";
const RUN_AT: &str = "must be finite, at most 1 day ago and at most 5 years ahead";
const DAY: Duration = Duration::from_secs(86_400);

/// The error is of this code, says this, and nothing of what was sent.
#[track_caller]
fn check(error: &Error, code: Option<&str>, says: &str) {
    let all = format!("{error} {error:?} {:?}", error.hint());
    assert_eq!(error.code(), code, "{all}");
    assert!(error.to_string().contains(says), "should say {says:?}: {all}");
    assert!(!all.contains(MARK) && !all.contains("secret"), "{all}");
    assert!(!error.is_transient(), "{all}");
}

fn mail() -> Dispatch {
    job("mail", json!({"pin": MARK})).metadata("pin", MARK).tag(MARK)
}

/// Jobs that are beyond a limit, with the field and its rule.
fn jobs(now: SystemTime) -> Vec<(Dispatch, &'static str, &'static str)> {
    let epoch = SystemTime::UNIX_EPOCH;
    let seconds = Duration::from_secs;
    vec![
        (job("no spaces", json!(MARK)), "type", TYPE),
        (job("", json!(MARK)), "type", TYPE),
        (job(&"t".repeat(65), json!(MARK)), "type", TYPE),
        (job(&format!("{MARK}\u{1b}[31m"), json!(1)), "type", TYPE),
        (job(&format!("{MARK}\0"), json!(1)), "type", "must not hold a NUL"),
        (mail().queue("UPPER"), "queue", QUEUE),
        (mail().queue(""), "queue", QUEUE),
        (mail().queue("q".repeat(65)), "queue", QUEUE),
        (mail().queue(format!("{MARK}\0")), "queue", "must not hold a NUL"),
        (mail().priority(101), "priority", "must be from -100 to 100"),
        (mail().priority(-101), "priority", "must be from -100 to 100"),
        (mail().priority(i32::MAX), "priority", "must be from -100 to 100"),
        (mail().max_attempts(0), "max_attempts", "must be from 1 to 100"),
        (mail().max_attempts(101), "max_attempts", "must be from 1 to 100"),
        (mail().max_attempts(i32::MIN), "max_attempts", "must be from 1 to 100"),
        (mail().timeout(Duration::ZERO), "timeout", "must be from 1 ms to 24 h"),
        (mail().timeout(Duration::from_micros(999)), "timeout", "must be from 1 ms to 24 h"),
        (mail().timeout(DAY + seconds(1)), "timeout", "must be from 1 ms to 24 h"),
        (mail().timeout(Duration::MAX), "timeout", "must be from 1 ms to 24 h"),
        (mail().delay(6 * 366 * DAY), "delay", "must be from 0 to 5 years"),
        (mail().delay(Duration::MAX), "delay", "must be from 0 to 5 years"),
        (mail().run_at(now - 2 * DAY), "run_at", RUN_AT),
        (mail().run_at(now + 6 * 366 * DAY), "run_at", RUN_AT),
        (mail().run_at(epoch), "run_at", RUN_AT),
        (mail().run_at(epoch - DAY), "run_at", RUN_AT),
        (mail().run_at(epoch + seconds(253_370_764_799)), "run_at", RUN_AT),
        (mail().run_at(epoch + seconds(253_402_300_800)), "run_at", RUN_AT), // the year 10000
        (mail().run_at(epoch + seconds(1 << 45)), "run_at", RUN_AT), // more microseconds than 64 bits hold
        (mail().tag(""), "tags", "each must have 1 to 64 characters"),
        (
            mail().tag(format!("{MARK}{}", "x".repeat(64))),
            "tags",
            "each must have 1 to 64 characters",
        ),
        (mail().tag(format!("{MARK}\0")), "tags", "must not hold a NUL"),
        (
            (0..20).fold(mail(), |job, n| job.tag(format!("{MARK}{n}"))),
            "tags",
            "must be a list of at most 20",
        ),
        (
            mail().metadata("more", MARK.repeat(2000)),
            "metadata",
            "must be at most 16384 bytes of JSON text",
        ),
        (
            mail().metadata("nul", format!("{MARK}\0")),
            "metadata",
            "holds a NUL or a lone surrogate",
        ),
        (mail().metadata("deep", deep(128)), "metadata", "must nest at most 128 deep"),
        (
            job("mail", json!(MARK.repeat(100_000))),
            "payload",
            "must be at most 1048576 bytes of JSON text",
        ),
        (
            job("mail", json!([MARK, vec![1e300; 4000]])),
            "payload",
            "must be at most 1048576 bytes of JSON text",
        ),
    ]
}

fn deep(levels: usize) -> serde_json::Value {
    (0..levels).fold(json!(MARK), |inner, _| json!([inner]))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_beyond_a_limit_is_refused_alone_and_by_its_index_in_a_batch() {
    let stage = Stage::new().await;
    let producer = stage.db.client("test_producer").await;
    let before = stage.contents().await;
    let clock = stage.db.producer().await.query_one("select fairclaim.clock()", &[]).await;
    for (dispatch, field, rule) in jobs(clock.expect("the clock").get(0)) {
        let alone = producer.dispatch(dispatch.clone()).await.expect_err(field);
        check(&alone, Some("JQ004"), &format!("{field}: {rule}"));
        let batch = producer.dispatch_many([mail(), dispatch, mail()]).await.expect_err(field);
        check(&batch, Some("JQ004"), &format!("jobs[1].{field}: {rule}"));
        stage.untouched(&before, field).await;
    }
    let mut many: Vec<Dispatch> = (0..=10_000).map(|n| job("mail", json!(n))).collect();
    many[10_000] = mail().queue("UPPER");
    let error = producer.dispatch_many(many).await.expect_err("the last one");
    check(&error, Some("JQ004"), &format!("jobs[10000].queue: {QUEUE}"));
    stage.untouched(&before, "a list of two batches").await;
    stage.names_nothing().await;
}

#[test]
fn a_payload_that_the_database_cannot_store_is_refused_before_it_is_sent() {
    let raw =
        |text: String| Dispatch::raw(acme(), "mail", RawValue::from_string(text).expect("JSON"));
    for (text, rule) in [
        (format!("\"{MARK} \\u0000\""), "payload: holds a NUL or a lone surrogate"),
        (format!("{{\"\\u0000\": \"{MARK}\"}}"), "payload: holds a NUL or a lone surrogate"),
        (format!("\"{MARK} \\ud800\""), "payload: holds a NUL or a lone surrogate"),
        (format!("\"\\udc00\\ud800 {MARK}\""), "payload: holds a NUL or a lone surrogate"),
        (
            format!("{}\"{MARK}\"{}", "[".repeat(129), "]".repeat(129)),
            "payload: must nest at most 128 deep",
        ),
        (
            format!("{}\"{MARK}\"{}", "[".repeat(100_000), "]".repeat(100_000)),
            "payload: must nest at most 128 deep",
        ),
    ] {
        check(&raw(text).expect_err(rule), Some("JQ004"), rule);
    }
    assert!(raw(format!("{}\"{MARK}\"{}", "[".repeat(128), "]".repeat(128))).is_ok());
    let pairs = std::collections::HashMap::from([((MARK, 1), 2)]);
    let error = Dispatch::raw(acme(), "mail", pairs).expect_err("no keys of JSON");
    check(&error, Some("JQ004"), "payload: cannot be written as JSON");
    for name in [String::new(), format!("{MARK}\0"), MARK.repeat(24)] {
        check(
            &Tenant::named(name).expect_err("no name"),
            Some("JQ004"),
            "tenant: must be 1 to 255 bytes without control characters",
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_the_database_cannot_store_is_told_without_it() {
    let stage = Stage::new().await;
    let producer = stage.db.client("test_producer").await;
    let before = stage.contents().await;
    let text = format!("{{\"pin\": \"{MARK}\", \"n\": 1e999999}}");
    let huge =
        Dispatch::raw(acme(), "mail", RawValue::from_string(text).expect("JSON")).expect("a job");
    for error in [
        producer.dispatch(huge.clone()).await.expect_err("alone"),
        producer.dispatch_many([mail(), huge]).await.expect_err("in a batch"),
    ] {
        check(&error, None, "22003: a number is out of the range that the database can store");
        assert_eq!(error.hint(), Some("change the value; this call wrote nothing"));
    }
    stage.untouched(&before, "1e999999").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_operator_asks_for_beyond_a_limit_is_refused() {
    let stage = Stage::new().await;
    let (producer, operator) =
        (stage.db.client("test_producer").await, stage.db.client("test_operator").await);
    let id = producer.dispatch(mail()).await.expect("dispatch");
    let before = stage.contents().await;
    for limit in [i32::MIN, -1, 0, 1001, i32::MAX] {
        let filter = JobFilter { limit: Some(limit), ..JobFilter::default() };
        check(
            &operator.jobs(&filter).await.expect_err("limit"),
            Some("JQ004"),
            "limit: must be from 1 to 1,000",
        );
    }
    let nul = || Some(format!("{MARK}\0"));
    let queue = JobFilter { queue: nul(), ..JobFilter::default() };
    check(
        &operator.jobs(&queue).await.expect_err("queue"),
        Some("JQ004"),
        "queue: must not hold a NUL",
    );
    let of_type = JobFilter { job_type: nul(), ..JobFilter::default() };
    check(
        &operator.jobs(&of_type).await.expect_err("type"),
        Some("JQ004"),
        "type: must not hold a NUL",
    );
    let many: Vec<Uuid> = (0..=10_000).map(|_| Uuid::new_v4()).collect();
    for refused in [operator.cancel(None, &many).await, operator.retry(None, &many).await] {
        check(
            &refused.expect_err("too many"),
            Some("JQ004"),
            "ids: must be a list of 1 to 10,000 ids",
        );
    }
    for refused in [producer.cancel(None, &[id]).await, producer.retry(None, &[id]).await] {
        let error = refused.expect_err("no tenant");
        check(&error, Some("JQ002"), "tenant_id: is missing");
        assert!(
            error.hint().is_some_and(|hint| hint.contains("only an operator may leave it out"))
        );
    }
    stage.untouched(&before, "an operator").await;
}

async fn nothing(_: RawJob, _: Attempt) -> Result<(), JobError> {
    Ok(())
}

type Set = fn(WorkerBuilder) -> WorkerBuilder;

/// Settings of a worker that cannot work, what is said and what is hinted.
const WORKERS: &[(Set, &str, &str)] = &[
    (
        |w| w.queue("UPPER", 1),
        "queue 1 of the worker has a name that no queue can have",
        "use 1 to 64 of a-z",
    ),
    (|w| w.queue("", 1), "queue 1 of the worker", "use 1 to 64 of a-z"),
    (|w| w.queue("q".repeat(65), 1), "queue 1 of the worker", "use 1 to 64 of a-z"),
    (|w| w.queue("secret\u{1b}[31m", 1), "queue 1 of the worker", "use 1 to 64 of a-z"),
    (|w| w.queue("mail", 2), "queue mail twice", "name every queue once"),
    (|w| w.queue("more", 0), "concurrency of queue more", "1 to 10,000"),
    (|w| w.queue("more", 10_001), "concurrency of queue more", "1 to 10,000"),
    (
        |w| w.handler_for("no spaces", nothing),
        "is not a name that a type can have",
        "use 1 to 64 of A-Z",
    ),
    (|w| w.handler_for("", nothing), "is not a name that a type can have", "use 1 to 64 of A-Z"),
    (|w| w.handler_for("mail", nothing), "type mail has two handlers", "one handler a type"),
    (
        |w| w.worker_id(""),
        "the worker_id is empty, too long or not printable",
        "1 to 255 printable characters",
    ),
    (|w| w.worker_id("w".repeat(256)), "the worker_id", "1 to 255 printable characters"),
    (|w| w.worker_id("secret\n"), "the worker_id", "1 to 255 printable characters"),
    (|w| w.worker_id("secret\u{1b}[31m"), "the worker_id", "1 to 255 printable characters"),
    (|w| w.worker_id("secret\u{9b}31m"), "the worker_id", "1 to 255 printable characters"),
    (|w| w.lease(Duration::from_millis(999)), "the worker's lease", "set lease to 1 s to 24 h"),
    (|w| w.lease(DAY + Duration::from_nanos(1)), "the worker's lease", "set lease to 1 s to 24 h"),
    (|w| w.lease(Duration::MAX), "the worker's lease", "set lease to 1 s to 24 h"),
    (|w| w.grace(Duration::MAX), "the worker's grace", "set grace to 0 to 24 h"),
    (|w| w.stop_within(Duration::MAX), "the worker's stop_within", "set stop_within to 0 to 24 h"),
    (|w| w.poll_interval(Duration::ZERO), "the worker's poll_interval", "5 ms to 1 min"),
    (|w| w.poll_interval(Duration::from_secs(61)), "the worker's poll_interval", "5 ms to 1 min"),
    (|w| w.max_batch(0), "the worker's max_batch", "1 to 1,000"),
    (|w| w.max_batch(1001), "the worker's max_batch", "1 to 1,000"),
    (|w| w.connections(0), "the worker's connections", "1 to 8"),
    (|w| w.connections(9), "the worker's connections", "1 to 8"),
    (|w| w.attempt_timeout(Duration::ZERO), "the worker's attempt_timeout", "1 ms to 24 h"),
    (|w| w.attempt_timeout(Duration::MAX), "the worker's attempt_timeout", "1 ms to 24 h"),
];

#[test]
fn a_worker_that_cannot_work_is_refused_before_it_connects() {
    let good = || WorkerBuilder::default().queue("mail", 1).handler_for("mail", nothing);
    assert_eq!(good().worker_id("日本 é").lease(DAY).connections(8).check(), Ok(()));
    for (set, says, hint) in WORKERS {
        let error = set(good()).check().expect_err(says);
        check(&error, None, says);
        assert!(error.hint().is_some_and(|given| given.contains(hint)), "{hint}: {error:?}");
    }
    let empty = WorkerBuilder::default();
    check(&empty.check().expect_err("nothing"), None, "the worker serves no queue");
    let idle = WorkerBuilder::default().queue("mail", 1);
    check(&idle.check().expect_err("no handler"), None, "the worker has no handler");
}

/// Connection texts, what is said and what is hinted. The password is never told.
const URLS: &[(&str, &str, &str)] = &[
    ("secret", "cannot be read", "write postgres://"),
    ("mysql://a:secret@h/d", "cannot be read", "write postgres://"),
    ("postgres://a:secret@[", "invalid value for parameter `host`", "leave it out or correct it"),
    ("postgres://a:secret@h/d?sslmode", "cannot be read", "write postgres://"),
    ("postgres://a:secret@h/d?x=%ff", "connection URL", ""),
    ("host=h password='secret", "cannot be read", "write postgres://"),
    (
        "postgres://a:secret@h:port/d",
        "invalid value for parameter `port`",
        "leave it out or correct it",
    ),
    (
        "postgres://a:secret@h:99999/d",
        "invalid value for parameter `port`",
        "leave it out or correct it",
    ),
    (
        "postgres://a:secret@h/d?connect_timeout=secret",
        "invalid value for parameter `connect_timeout`",
        "leave it out",
    ),
    (
        "postgres://a:secret@h/d?pgbouncer=true",
        "unknown parameter `pgbouncer`",
        "leave it out or correct it",
    ),
    (
        "postgres://a:secret@h/d?sslmode=secret",
        "sslmode is none of the modes of libpq",
        "use disable, prefer",
    ),
    (
        "postgres://a:secret@h/d?gssencmode=require",
        "gssencmode=require is not supported",
        "leave it out",
    ),
    (
        "postgres://a:secret@h/d?sslrootcert=system&sslmode=require",
        "needs sslmode=verify-full",
        "weaker mode",
    ),
    (
        "postgres://a:secret@h/d?sslcert=/c",
        "sslcert and sslkey belong together",
        "give both or neither",
    ),
    (
        "postgres://a:secret@h/d?sslmode=verify-full&sslrootcert=/no/such/file",
        "the file of sslrootcert cannot be read",
        "name a readable PEM file",
    ),
];

#[tokio::test]
async fn a_connection_text_that_cannot_be_used_is_told_without_its_password() {
    for (url, says, hint) in URLS {
        let error = Client::connect(url).await.expect_err(url);
        check(&error, None, says);
        assert_eq!(error.kind(), ErrorKind::Configuration, "{url}: {error:?}");
        assert!(error.hint().is_some_and(|given| given.contains(hint)), "{url}: {error:?}");
    }
    let options = ConnectOptions::default().pool_size(0);
    let error = Client::connect_with("postgres://a:secret@h/d", &options)
        .await
        .expect_err("no connections");
    check(&error, None, "a pool of no connections");
}
