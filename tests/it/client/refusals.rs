//! Errors of the client: typed by their code, with a way out, and without what the caller sent.

use fairclaim::{Client, Dispatch, Error, JobFilter};
use serde_json::{Value, json, value::RawValue};

use crate::{
    support::TestDb,
    worker::stage::{Stage, acme, job},
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
async fn a_login_without_the_role_is_told_what_to_ask_for() {
    let stage = Stage::new().await;
    let worker = stage.db.client("test_worker").await;
    let error = worker.dispatch(job("mail", json!({"pin": SECRET}))).await.expect_err("denied");
    check(&error, Some("JQ007"), "grant fairclaim_producer");
    let error = worker.jobs(&JobFilter::default()).await.expect_err("denied");
    check(&error, Some("JQ007"), "grant fairclaim_operator");
    let id = stage.dispatch("mail", json!({"pin": SECRET})).await;
    let error = stage.producer.job(id).await.expect_err("denied");
    check(&error, Some("JQ007"), "grant fairclaim_operator");
    // a producer names the tenant; only an operator may leave it out
    for refused in
        [stage.producer.cancel(None, &[id]).await, stage.producer.retry(None, &[id]).await]
    {
        check(&refused.expect_err("no tenant"), Some("JQ002"), "p_tenant_id");
    }
    assert!(stage.operator.cancel(None, &[id]).await.is_ok());
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
    let stage = Stage::new().await;
    for text in [
        r#""""#,
        "null",
        "-0.5e-7",
        r#"{"ä":"\u00e4\ud834\udd1e","empty":{},"list":[[],[null,true]]}"#,
        "123456789012345678901234567890.5",
    ] {
        let id = stage.send(raw(text.to_owned()).expect("JSON")).await;
        let kept = stage.job(id).await.payload.expect("a payload");
        assert_eq!(kept, serde_json::from_str::<Value>(text).expect("JSON"), "{text}");
    }
}
