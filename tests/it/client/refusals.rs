//! Errors of the client: typed by their code, with a way out, and without what the caller sent.

use fairclaim::{Client, Dispatch, Error, JobFilter};
use serde_json::{Value, json, value::RawValue};

use crate::{
    support::TestDb,
    worker::rig::{Rig, acme, job},
};

/// What no error may quote.
const SECRET: &str = "secret-4711";

/// Asserts an error's code, that it names this, and that it says nothing of what was sent.
#[track_caller]
fn check(error: &Error, code: Option<&str>, names: &str) {
    let all = format!("{error} {error:?} {:?}", error.hint());
    assert_eq!(error.code(), code, "{all}");
    assert!(all.contains(names), "{names}: {all}");
    assert!(!all.contains(SECRET), "{all}");
}

/// A payload, as any JSON text.
fn raw(text: String) -> Result<Dispatch, Error> {
    Dispatch::raw(acme(), "mail", RawValue::from_string(text).expect("JSON"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_argument_is_named_and_its_job_is_not_quoted() {
    let rig = Rig::new().await;
    let secret = || job("mail", json!({"pin": SECRET})).metadata("pin", SECRET).tag(SECRET);
    let cases = [
        (secret().queue("UPPER"), "queue"),
        (secret().queue("a\0"), "queue"),
        (job("no spaces", json!(SECRET)), "type"),
        (secret().priority(101), "priority"),
        (secret().max_attempts(0), "max_attempts"),
        (secret().timeout(std::time::Duration::ZERO), "timeout"),
        (secret().timeout(std::time::Duration::from_secs(86_401)), "timeout"),
        (secret().delay(std::time::Duration::from_secs(6 * 366 * 86_400)), "delay"),
        (secret().tag(format!("{SECRET}{}", "x".repeat(64))), "tags"),
        (secret().metadata("more", SECRET.repeat(2000)), "metadata"),
        (job("mail", json!(SECRET.repeat(100_000))), "payload"),
    ];
    for (dispatch, field) in cases {
        let alone = rig.producer.dispatch(dispatch.clone()).await.expect_err(field);
        check(&alone, Some("JQ004"), field);
        let second = [job("mail", json!({})), dispatch];
        let batch = rig.producer.dispatch_many(second).await.expect_err(field);
        check(&batch, Some("JQ004"), &format!("p_jobs[1].{field}"));
    }
    let none = rig.operator.jobs(&JobFilter::default()).await.expect("jobs");
    assert_eq!(none.jobs.len(), 0);
}

#[test]
fn a_payload_that_the_database_cannot_store_is_refused_before_it_is_sent() {
    for text in [
        format!("\"{SECRET} \\u0000\""),
        format!("\"{SECRET} \\ud800\""),
        format!("{}\"{SECRET}\"{}", "[".repeat(129), "]".repeat(129)),
    ] {
        check(&raw(text).expect_err("refused"), Some("JQ004"), "payload");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_the_database_cannot_store_is_not_quoted() {
    let rig = Rig::new().await;
    let huge = || raw(format!("{{\"pin\": \"{SECRET}\", \"n\": 1e999999}}")).expect("JSON");
    let error = rig.producer.dispatch(huge()).await.expect_err("out of range");
    check(&error, None, "22003");
    let error = rig.producer.dispatch_many([huge()]).await.expect_err("out of range");
    check(&error, None, "22003");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_without_the_role_is_told_what_to_ask_for() {
    let rig = Rig::new().await;
    let worker = rig.db.client("test_worker").await;
    let error = worker.dispatch(job("mail", json!({"pin": SECRET}))).await.expect_err("denied");
    check(&error, Some("JQ007"), "grant fairclaim_producer");
    let error = worker.jobs(&JobFilter::default()).await.expect_err("denied");
    check(&error, Some("JQ007"), "grant fairclaim_operator");
    let id = rig.dispatch("mail", json!({"pin": SECRET})).await;
    let error = rig.producer.job(id).await.expect_err("denied");
    check(&error, Some("JQ007"), "grant fairclaim_operator");
    // a producer names the tenant; only an operator may leave it out
    for refused in [rig.producer.cancel(None, &[id]).await, rig.producer.retry(None, &[id]).await] {
        check(&refused.expect_err("no tenant"), Some("JQ002"), "p_tenant_id");
    }
    assert!(rig.operator.cancel(None, &[id]).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_without_the_schema_says_what_to_run() {
    let db = TestDb::empty().await;
    let client = db.client("test_producer").await;
    let error = client.dispatch(job("mail", json!({"pin": SECRET}))).await.expect_err("no schema");
    check(&error, Some("JQ006"), "fairclaim migrate");
    check(&client.check_schema().await.expect_err("no schema"), Some("JQ006"), "fairclaim migrate");
    assert!(!error.is_transient());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_page_is_refused() {
    let rig = Rig::new().await;
    for limit in [0, 1001] {
        let filter = JobFilter { limit: Some(limit), ..JobFilter::default() };
        check(&rig.operator.jobs(&filter).await.expect_err("refused"), Some("JQ004"), "p_limit");
    }
    let filter = JobFilter { queue: Some(format!("{SECRET}\0")), ..JobFilter::default() };
    check(&rig.operator.jobs(&filter).await.expect_err("refused"), Some("JQ004"), "queue");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable_and_its_url_a_secret() {
    let url = format!("postgres://app:{SECRET}@127.0.0.1:1/app?connect_timeout=2");
    let error = Client::connect(&url).await.expect_err("nobody listens");
    check(&error, None, "unavailable");
    assert!(error.is_unavailable() && error.is_transient());
    let error = Client::connect(&format!("postgres://app:{SECRET}@[")).await.expect_err("no URL");
    check(&error, None, "configuration");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_jobs_payload_is_what_was_dispatched() {
    let rig = Rig::new().await;
    for text in [
        r#""""#,
        "null",
        "-0.5e-7",
        r#"{"ä":"\u00e4\ud834\udd1e","empty":{},"list":[[],[null,true]]}"#,
        "123456789012345678901234567890.5",
    ] {
        let id = rig.send(raw(text.to_owned()).expect("JSON")).await;
        let kept = rig.job(id).await.payload.expect("a payload");
        assert_eq!(kept, serde_json::from_str::<Value>(text).expect("JSON"), "{text}");
    }
}
