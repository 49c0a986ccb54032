//! What can be stored can be set: the settings of an installation, by their names.

use std::collections::BTreeMap;

use fairclaim::Dispatch;
use serde_json::{Value, json};

use crate::{
    calls::{dispatch, refused, tenant},
    support::{Client, TestDb},
    worker::stage::Stage,
};

/// Columns that an operator may not change.
const INTERNAL: &[&str] = &["one"];
const SET: &str = "select value from fairclaim.set_setting($1, $2)";

/// Value and default of each.
async fn settings(operator: &Client) -> BTreeMap<String, (Option<String>, Option<String>)> {
    let sql = "select name, value, default_value from fairclaim.list_settings()";
    let rows = operator.query(sql, &[]).await.expect(sql);
    rows.iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect()
}

async fn set(operator: &Client, name: &str, value: Option<&str>) -> Option<String> {
    operator.query_one(SET, &[&name, &value]).await.expect("set_setting").get(0)
}

#[tokio::test]
async fn every_setting_that_is_stored_is_listed_with_the_default_that_it_has() {
    let db = TestDb::new().await;
    let (operator, owner) = (db.operator().await, db.owner().await);
    // the tests' template has one of its own
    owner
        .batch_execute("update fairclaim_internal.setting set tick_every = default")
        .await
        .expect("reset");
    let columns = "select attname::text from pg_attribute
                    where attrelid = 'fairclaim_internal.setting'::regclass and attnum > 0 and not attisdropped";
    let rows = owner.query(columns, &[]).await.expect(columns);
    let mut columns: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    columns.retain(|column| !INTERNAL.contains(&column.as_str()));
    columns.sort();
    let listed = settings(&operator).await;
    assert_eq!(listed.keys().collect::<Vec<_>>(), columns.iter().collect::<Vec<_>>());
    for (name, (value, default)) in listed {
        assert_eq!(value, default, "{name} of a fresh installation");
    }
    let sql = "select bool_and(about like '%.' and length(about) between 20 and 78), count(distinct unit) from fairclaim.list_settings()";
    let row = operator.query_one(sql, &[]).await.expect(sql);
    assert_eq!((row.get::<_, bool>(0), row.get::<_, i64>(1)), (true, 4), "a short sentence each");
}

#[tokio::test]
async fn a_setting_keeps_what_it_was_set_to_and_goes_back_to_its_default() {
    let db = TestDb::new().await;
    let operator = db.operator().await;
    for (name, value) in [
        ("retention", "3600"),
        ("retention", "3110400000"),
        ("retention", "2592000.5"),
        ("max_payload", "1024"),
        ("max_payload", "67108864"),
        ("max_own_lanes", "1"),
        ("max_shared_lanes", "100000"),
        ("close_delay", "0"),
        ("tick_every", "10"),
        ("suspect_wait", "60"),
        ("default_tenant", "Acme & Söhne"),
    ] {
        for style in ["postgres", "sql_standard", "iso_8601", "postgres_verbose"] {
            operator.batch_execute(&format!("set intervalstyle = '{style}'")).await.expect(style);
            assert_eq!(set(&operator, name, Some(value)).await.as_deref(), Some(value), "{name}");
            assert_eq!(settings(&operator).await[name].0.as_deref(), Some(value), "{name} {style}");
        }
        let default = settings(&operator).await[name].1.clone();
        for back in [None, Some("default"), Some("null")] {
            set(&operator, name, Some(value)).await;
            assert_eq!(set(&operator, name, back).await, default, "{name} {back:?}");
        }
    }
}

#[tokio::test]
async fn a_setting_is_refused_beyond_its_bounds_without_its_value() {
    let db = TestDb::new().await;
    let operator = db.operator().await;
    let before = settings(&operator).await;
    for (name, value, detail) in [
        ("retention", "3599.999", json!({"minimum": 3600, "maximum": 3_110_400_000_i64})),
        ("retention", "3110400001", json!({"minimum": 3600, "maximum": 3_110_400_000_i64})),
        ("retention", "canary days", json!({"minimum": 3600, "maximum": 3_110_400_000_i64})),
        ("retention", "-5", json!({"minimum": 3600, "maximum": 3_110_400_000_i64})),
        ("retention", "1e99", json!({"minimum": 3600, "maximum": 3_110_400_000_i64})),
        ("retention", "", json!({"minimum": 3600, "maximum": 3_110_400_000_i64})),
        ("max_payload", "1023", json!({"minimum": 1024, "maximum": 67_108_864})),
        ("max_payload", "2048.5", json!({"minimum": 1024, "maximum": 67_108_864})),
        ("max_payload", "99999999999999999999", json!({"minimum": 1024, "maximum": 67_108_864})),
        ("max_own_lanes", "0", json!({"minimum": 1, "maximum": 100_000})),
        ("tick_every", "10.01", json!({"minimum": 0, "maximum": 10})),
        ("tick_every", "NaN", json!({"minimum": 0, "maximum": 10})),
        ("default_tenant", "", json!({"limit": 255})),
        ("default_tenant", "canary\n", json!({"limit": 255})),
    ] {
        let error = refused(operator.query(SET, &[&name, &value]).await, "JQ004");
        let told: Value = serde_json::from_str(error.detail().unwrap_or_default()).expect("JSON");
        let mut expected = json!({"argument": "p_value", "field": "value"});
        expected
            .as_object_mut()
            .expect("an object")
            .extend(detail.as_object().expect("an object").clone());
        assert_eq!(told, expected, "{name} = {value}");
        let text = format!("{} {:?} {:?}", error.message(), error.detail(), error.hint());
        assert!(!text.contains("canary"), "{text}");
    }
    let names: Vec<&String> = before.keys().collect();
    for name in [Some("canary"), Some("one"), Some(""), None] {
        let error = refused(operator.query(SET, &[&name, &"1"]).await, "JQ004");
        let told: Value = serde_json::from_str(error.detail().unwrap_or_default()).expect("JSON");
        let mut allowed: Vec<&str> =
            told["allowed"].as_array().expect("names").iter().filter_map(Value::as_str).collect();
        allowed.sort_unstable();
        assert_eq!(
            (&told["field"], allowed),
            (&json!("name"), names.iter().map(|n| n.as_str()).collect())
        );
        assert!(!error.message().contains("canary"), "{}", error.message());
    }
    assert_eq!(settings(&operator).await, before);
}

#[tokio::test]
async fn only_operators_change_settings_and_observers_may_look() {
    let db = TestDb::new().await;
    for session in [db.producer().await, db.worker().await, db.tenant().await, db.stranger().await]
    {
        refused(session.query("select * from fairclaim.list_settings()", &[]).await, "42501");
        refused(session.query(SET, &[&"retention", &"7200"]).await, "42501");
    }
    let plain = db.plain_operator().await;
    plain.batch_execute("set role fairclaim_operator").await.expect("set role");
    assert_eq!(set(&plain, "retention", Some("7200")).await.as_deref(), Some("7200"));
    let owner = db.owner().await;
    let sql = "select has_function_privilege('fairclaim_observer', 'fairclaim.list_settings()', 'execute'),
                      has_function_privilege('fairclaim_observer', 'fairclaim.set_setting(text, text)', 'execute')";
    let row = owner.query_one(sql, &[]).await.expect(sql);
    assert_eq!((row.get(0), row.get(1)), (true, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_holds_for_sessions_that_are_open_already() {
    let stage = Stage::new().await;
    let session = stage.db.producer().await;
    dispatch(&session, tenant(1), "mail").await;
    let large =
        |length: usize| Dispatch::raw(tenant(1), "mail", "m".repeat(length)).expect("a job");
    stage.producer.dispatch(large(2000)).await.expect("within 1 MiB");
    let changed =
        stage.operator.set_setting("max_payload", Some("1500")).await.expect("set_setting");
    assert_eq!((changed.value.as_deref(), changed.unit.as_str()), (Some("1500"), "bytes"));
    let refused = stage.producer.dispatch(large(2000)).await.expect_err("more than 1500 bytes");
    assert!(refused.to_string().contains("1500"), "{refused}");
    let sql = "select fairclaim.dispatch_job($1, 'mail', to_jsonb(repeat('m', 2000)))";
    crate::calls::refused(session.query(sql, &[&tenant(1)]).await, "JQ004");
    stage.operator.set_setting("max_payload", None).await.expect("set_setting");
    stage.producer.dispatch(large(2000)).await.expect("as at first");

    let listed = stage.operator.settings().await.expect("settings");
    let payload = listed.iter().find(|setting| setting.name == "max_payload").expect("it is one");
    assert_eq!(payload.value, payload.default_value);
    let nul = stage.operator.set_setting("default_tenant", Some("a\0")).await.expect_err("a NUL");
    assert_eq!(nul.code(), Some("JQ004"));
    let denied = stage.producer.settings().await.expect_err("no operator");
    assert_eq!(denied.code(), Some("JQ007"));
}
