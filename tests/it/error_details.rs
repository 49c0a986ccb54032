//! Errors are data: each refusal of the protocol has a DETAIL with one JSON object for programs, a hint for people, and no value
//! of the caller.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::{
    bad_input::MARK,
    support::{Client, TestDb},
};

/// What DETAIL may say.
const KEYS: [&str; 9] =
    ["argument", "field", "item", "path", "limit", "minimum", "maximum", "allowed", "quota"];

/// Who calls what, and what DETAIL says then. MARK is the mark.
const TABLE: &[(&str, &str, &str, &str)] = &[
    (
        "test_producer",
        "dispatch_job(null::uuid, 'mail')",
        "JQ002",
        r#"{"argument": "p_tenant_id", "field": "tenant_id"}"#,
    ),
    (
        "test_producer",
        "dispatch_job(gen_random_uuid(), 'MARK mail')",
        "JQ004",
        r#"{"argument": "p_type", "field": "type", "limit": 64}"#,
    ),
    (
        "test_producer",
        "dispatch_job(gen_random_uuid(), 'mail', p_priority => 101)",
        "JQ004",
        r#"{"argument": "p_priority", "field": "priority", "minimum": -100, "maximum": 100}"#,
    ),
    (
        "test_producer",
        "dispatch_job(gen_random_uuid(), 'mail', to_jsonb('MARK' || repeat('m', 1048576)))",
        "JQ004",
        r#"{"argument": "p_payload", "field": "payload", "limit": 1048576}"#,
    ),
    (
        "test_producer",
        "dispatch_job(gen_random_uuid(), 'mail', (repeat('[', 129) || '\"MARK\"' || repeat(']', 129))::jsonb)",
        "JQ004",
        r#"{"argument": "p_payload", "field": "payload", "limit": 128}"#,
    ),
    (
        "test_producer",
        "dispatch_jobs(jsonb_build_array(jsonb_build_object('tenant_id', gen_random_uuid(), 'type', 'mail'),
           jsonb_build_object('tenant_id', gen_random_uuid(), 'type', 'mail', 'queue', 'MARK')))",
        "JQ004",
        r#"{"argument": "p_jobs", "field": "queue", "item": 1, "limit": 64}"#,
    ),
    (
        "test_producer",
        "dispatch_jobs('[{\"type\": \"mail\"}]')",
        "JQ002",
        r#"{"argument": "p_jobs", "field": "tenant_id", "item": 0}"#,
    ),
    (
        "test_producer",
        "dispatch_job(p_tenant => E'MARK\\n', p_type => 'mail')",
        "JQ004",
        r#"{"argument": "p_tenant", "field": "tenant", "limit": 255}"#,
    ),
    (
        "test_producer",
        "dispatch_jobs('[{\"tenant\": \"a\", \"type\": \"mail\"}, {\"tenant\": \"a\", \"type\": \"mail\", \"timeout\": \"MARK\"}]')",
        "JQ004",
        r#"{"argument": "p_jobs", "field": "timeout", "item": 1, "minimum": 0.001, "maximum": 86400}"#,
    ),
    (
        "test_producer",
        "dispatch_jobs('[]')",
        "JQ004",
        r#"{"argument": "p_jobs", "field": "jobs", "limit": 10000}"#,
    ),
    (
        "test_producer",
        "cancel_jobs(null, array[gen_random_uuid()])",
        "JQ002",
        r#"{"argument": "p_tenant_id", "field": "tenant_id"}"#,
    ),
    (
        "test_producer",
        "tenant_uuid('')",
        "JQ004",
        r#"{"argument": "p_name", "field": "name", "limit": 255}"#,
    ),
    (
        "test_worker",
        "claim_jobs('w', array['good', 'MARK'], 1)",
        "JQ004",
        r#"{"argument": "p_queues", "field": "queues", "item": 1, "limit": 64}"#,
    ),
    (
        "test_worker",
        "claim_jobs('w', null, 1001)",
        "JQ004",
        r#"{"argument": "p_limit", "field": "limit", "minimum": 1, "maximum": 1000}"#,
    ),
    (
        "test_operator",
        "list_jobs(p_status => 'MARK')",
        "JQ004",
        r#"{"argument": "p_status", "field": "status",
            "allowed": ["scheduled", "pending", "processing", "completed", "failed", "cancelled"]}"#,
    ),
    (
        "test_operator",
        "declare_limits('{\"tenants\": {\"MARK\": {\"weight\": 987654321}}}')",
        "JQ004",
        r#"{"argument": "p_document", "field": "weight", "path": ["tenants", 0, "weight"], "minimum": 1, "maximum": 100}"#,
    ),
    (
        "test_operator",
        "pause_queue('MARK')",
        "JQ004",
        r#"{"argument": "p_queue", "field": "queue", "limit": 64}"#,
    ),
];

#[tokio::test]
async fn a_refusal_names_argument_field_item_and_bounds() {
    let db = TestDb::new().await;
    for (login, call, code, detail) in TABLE {
        let sql = format!("select fairclaim.{}", call.replace("MARK", MARK));
        let refused = refusal(&db.session(login).await, &sql).await;
        let (said, told) = refused.unwrap_or_else(|| panic!("{call} is not refused"));
        assert_eq!(said, *code, "{call}");
        let wanted: Value = serde_json::from_str(detail).expect(detail);
        assert_eq!(told, wanted, "{call}");
    }
}

/// The code and the DETAIL of an error of the protocol, which must hold no value, and a hint beside them.
async fn refusal(session: &Client, sql: &str) -> Option<(String, Value)> {
    let error = session.query(sql, &[]).await.err()?;
    let said = error.as_db_error().unwrap_or_else(|| panic!("{sql}: {error}"));
    let code = said.code().code();
    if !code.starts_with("JQ") {
        return None; // the type of a value has refused it
    }
    let detail = said.detail().unwrap_or_else(|| panic!("{sql} has no DETAIL"));
    let hint = said.hint().unwrap_or_else(|| panic!("{sql} has no hint"));
    for text in [said.message(), detail, hint] {
        assert!(!text.contains(MARK) && !text.contains("987654"), "{sql} quotes a value: {text}");
    }
    assert!(!hint.is_empty() && !hint.contains("comment of"), "{sql} hints nothing: {hint}");
    let told: Value = serde_json::from_str(detail).expect(detail);
    let keys = told.as_object().unwrap_or_else(|| panic!("{sql}: {detail}")).keys();
    let unknown: Vec<_> = keys.filter(|key| !KEYS.contains(&key.as_str())).collect();
    assert!(unknown.is_empty(), "{sql}: {detail}");
    assert!(told["field"].is_string(), "{sql}: {detail}");
    Some((code.to_owned(), told))
}

/// A function that clients call, with the login that may call it.
struct Function {
    name: String,
    login: String,
    arguments: Vec<(String, String)>,
    required: usize,
}

const FUNCTIONS: &str = "
select p.proname::text, l.login, (p.pronargs - p.pronargdefaults)::int4,
       coalesce((select array_agg(format_type(t, null) order by o) from unnest(p.proargtypes) with ordinality x(t, o)), '{}'),
       coalesce(p.proargnames[1:p.pronargs], '{}')
  from pg_catalog.pg_proc p
  join lateral (
    select x.login from unnest(array['test_worker', 'test_producer', 'test_operator']) x(login)
     where has_function_privilege(x.login, p.oid, 'execute') limit 1) l on true
 where p.pronamespace = any ('{fairclaim,fairclaim_internal}'::regnamespace[])
 order by 1";

async fn functions(db: &TestDb) -> Vec<Function> {
    let rows = db.owner().await.query(FUNCTIONS, &[]).await.expect("the functions");
    let of = |row: &tokio_postgres::Row| Function {
        name: row.get(0),
        login: row.get(1),
        required: usize::try_from(row.get::<_, i32>(2)).expect("a number"),
        arguments: row
            .get::<_, Vec<String>>(4)
            .into_iter()
            .zip(row.get::<_, Vec<String>>(3))
            .collect(),
    };
    rows.iter().map(of).collect()
}

/// What a call takes that is to fail for another argument.
fn good(name: &str, of_type: &str) -> &'static str {
    match (name, of_type) {
        ("p_worker_id", _) => "'w'",
        ("p_type", _) => "'mail'",
        ("p_outcomes", _) => "array['release']",
        ("p_attempts", _) => "array[1]",
        (_, "uuid") => "'7e4a0000-0000-4000-8000-000000000001'::uuid",
        (_, "uuid[]") => "array['7e4a0000-0000-4000-8000-000000000001'::uuid]",
        ("p_limit" | "p_after" | "p_through", _) => "1",
        _ => "null",
    }
}

/// What is beyond every limit of its type.
fn bad(of_type: &str) -> &'static [&'static str] {
    match of_type {
        "text" => &["''", "repeat('MARK ', 1000)", "null"],
        "text[]" => &["array['MARK MARK', null]", "array[repeat('MARK', 100)]", "'{}'"],
        "integer" | "bigint" => &["-987654321", "987654321", "null"],
        "integer[]" => &["array[-987654, 987654]", "'{}'"],
        "double precision" => &["-987654321", "9876543210", "'NaN'"],
        "double precision[]" => &["array[-987654]::float8[]", "array[9876543210, 1]::float8[]"],
        "interval" => &["'-987654 s'", "'987654 years'"],
        "timestamp with time zone" => &["'infinity'", "'9876-05-04Z'"],
        "uuid" => &["null"],
        "uuid[]" => &["null", "'{}'", "array[null]::uuid[]"],
        "jsonb" => &[
            "null",
            "'\"MARK\"'",
            "'[{\"MARK\": 1}]'",
            "(repeat('[', 200) || '\"MARK\"' || repeat(']', 200))::jsonb",
        ],
        "jsonb[]" => &["array['\"MARK\"', '1']::jsonb[]"],
        "bytea" => &["decode(repeat('ff', 100), 'hex')"],
        _ => &["null"],
    }
}

/// Those that have an argument with limits.
const EXPECTED: &[&str] = &[
    "cancel_jobs",
    "claim_job",
    "claim_jobs",
    "count_jobs",
    "declare_limits",
    "dispatch_job",
    "dispatch_jobs",
    "drop_ranges",
    "extend_leases",
    "get_jobs",
    "list_audit",
    "list_jobs",
    "list_queues",
    "pause_queue",
    "pause_tenant",
    "prune",
    "queue_stats",
    "release_claims",
    "release_jobs",
    "release_worker",
    "resume_queue",
    "retry_jobs",
    "set_default_limit",
    "set_default_quota",
    "set_limit",
    "set_queue_limit",
    "set_quota",
    "set_setting",
    "set_weight",
    "settle_and_claim",
    "settle_jobs",
    "show_limits",
    "tenant_names",
    "tenant_stats",
    "tenant_uuid",
    "why_waiting",
];

#[tokio::test]
async fn every_function_refuses_bad_arguments_with_a_detail_a_hint_and_no_value() {
    let db = TestDb::new().await;
    let mut sessions = BTreeMap::new();
    for login in ["test_worker", "test_producer", "test_operator"] {
        sessions.insert(login, db.session(login).await);
    }
    let mut raised = BTreeSet::new();
    for function in functions(&db).await {
        let session = &sessions[function.login.as_str()];
        for (at, (argument, of_type)) in function.arguments.iter().enumerate() {
            let others = function.arguments.iter().enumerate().take(function.required);
            let others = others.filter(|(other, _)| *other != at);
            let others = others.fold(String::new(), |text, (_, (name, of_type))| {
                format!("{text}{name} => {}, ", good(name, of_type))
            });
            for value in bad(of_type) {
                let value = value.replace("MARK", MARK);
                let sql =
                    format!("select fairclaim.{}({others}{argument} => {value})", function.name);
                if let Some((_, told)) = refusal(session, &sql).await {
                    let named = told["argument"].as_str();
                    let known =
                        |name| function.arguments.iter().any(|(argument, _)| argument == name);
                    assert!(named.is_none_or(known), "{sql}: {told}");
                    raised.insert(function.name.clone());
                }
            }
        }
    }
    for name in EXPECTED {
        assert!(raised.contains(*name), "{name} refused nothing: {raised:?}");
    }
}
