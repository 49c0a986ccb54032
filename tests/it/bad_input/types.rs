//! What the input functions of the types refuse before ours run. The server's own texts quote the value, in the message or in
//! DETAIL and CONTEXT, which is why no client passes those on.

use fairclaim::Error;

use super::{MARK, stage::Stage};

/// An argument list of `dispatch_job`, the code, and what the library says of it.
const JOBS: &[(&str, &str, &str)] = &[
    ("'MARK', 'mail'", "22P02", SYNTAX),
    ("'', 'mail'", "22P02", SYNTAX),
    ("'7e4a', 'mail', '{\"a\": \"MARK\"}'", "22P02", SYNTAX),
    ("T, 'mail', '{\"a\": MARK}'", "22P02", SYNTAX),
    ("T, 'mail', '{\"MARK\": 1'", "22P02", SYNTAX),
    ("T, 'mail', ''", "22P02", SYNTAX),
    ("T, 'mail', '{\"a\": \"MARK\", \"b\": NaN}'", "22P02", SYNTAX),
    ("T, 'mail', '[\"MARK\", 01]'", "22P02", SYNTAX),
    ("T, 'mail', '\"MARK\\ud800\"'", "22P02", SYNTAX),
    ("T, 'mail', '\"MARK\\udc00\\ud800\"'", "22P02", SYNTAX),
    ("T, 'mail', E'\"MARK\\x01\"'", "22P02", SYNTAX),
    ("T, 'mail', '{\"a\": \"MARK\\u0000\"}'", "22P05", CHARACTER),
    ("T, 'mail', '{\"\\u0000\": \"MARK\"}'", "22P05", CHARACTER),
    ("T, 'mail', '[\"MARK\", 1e200000]'", "22003", NUMBER),
    ("T, 'mail', '[\"MARK\", -1e999999]'", "22003", NUMBER),
    ("T, 'mail', ('[\"MARK\",' || repeat('[', 100000))::jsonb", "54001", ""),
    ("T, convert_from('\\xff4d'::bytea, 'UTF8'), '\"MARK\"'", "22021", CHARACTER),
    ("T, chr(0), '\"MARK\"'", "54000", ""),
    ("T, 'mail', '\"MARK\"', p_priority => 'MARK'", "22P02", SYNTAX),
    ("T, 'mail', '\"MARK\"', p_priority => '1.5'", "22P02", SYNTAX),
    ("T, 'mail', '\"MARK\"', p_priority => '3000000000'", "22003", NUMBER),
    ("T, 'mail', '\"MARK\"', p_max_attempts => '99999999999999999999'", "22003", NUMBER),
    ("T, 'mail', '\"MARK\"', p_run_at => 'MARK'", "22007", TIME),
    ("T, 'mail', '\"MARK\"', p_run_at => '2026-02-31'", "22008", TIME),
    ("T, 'mail', '\"MARK\"', p_run_at => '294277-01-01'", "22008", TIME),
    ("T, 'mail', '\"MARK\"', p_run_at => '4714-01-01 BC'", "22008", TIME),
    ("T, 'mail', '\"MARK\"', p_timeout => 'MARK'", "22P02", SYNTAX),
    ("T, 'mail', '\"MARK\"', p_delay => '1 min'", "22P02", SYNTAX),
    ("T, 'mail', '\"MARK\"', p_timeout => '1e999'", "22003", NUMBER),
    ("T, 'mail', '\"MARK\"', p_tags => 'MARK'", "22P02", SYNTAX),
    ("T, 'mail', '\"MARK\"', p_tags => '{MARK'", "22P02", SYNTAX),
    ("T, 'mail', '\"MARK\"', p_metadata => '{MARK}'", "22P02", SYNTAX),
    ("T, 'mail', '\"MARK\"', p_key => 'k', p_keep_order => 'MARK'", "22P02", SYNTAX),
    ("T, 'mail', '\"MARK\"', p_unknown => 'MARK'", "42883", "schema does not fit"),
    (
        "T, 'mail', '\"MARK\"', 'default', 0, null, 25, null, '{}', '{}', null, null, null, null, 'MARK'",
        "42883",
        "schema does not fit",
    ),
];

/// The rest of an item of `dispatch_jobs`.
const ITEMS: &[(&str, &str, &str)] = &[
    ("\"payload\": {\"a\": \"MARK\\u0000\"}", "22P05", CHARACTER),
    ("\"payload\": \"MARK\", \"priority\": 3000000000", "22003", NUMBER),
    ("\"payload\": \"MARK\", \"priority\": \"MARK\"", "22P02", SYNTAX),
    ("\"payload\": \"MARK\", \"priority\": 1.5", "22P02", SYNTAX),
    ("\"payload\": \"MARK\", \"priority\": true", "22P02", SYNTAX),
    ("\"payload\": \"MARK\", \"max_attempts\": [\"MARK\"]", "22P02", SYNTAX),
    ("\"payload\": \"MARK\", \"tags\": \"MARK\"", "22P02", SYNTAX),
    ("\"payload\": \"MARK\", \"tags\": {\"MARK\": 1}", "22P02", SYNTAX),
    ("\"payload\": \"MARK\", \"tags\": [[\"MARK\"], \"MARK\"]", "22P02", SYNTAX),
];

/// Whole calls of a worker.
const WORK: &[(&str, &str, &str)] = &[
    ("claim_jobs('w', 'MARK', 1)", "22P02", SYNTAX),
    ("claim_jobs('w', null, '1MARK')", "22P02", SYNTAX),
    ("claim_jobs('w', null, '99999999999')", "22003", NUMBER),
    ("claim_job('w', p_lease => 'MARK')", "22P02", SYNTAX),
    (
        "settle_jobs('w', array['MARK']::uuid[], array[1], array[gen_random_uuid()], array['complete'])",
        "22P02",
        SYNTAX,
    ),
    (
        "settle_jobs('w', array[gen_random_uuid()], array[1], array[gen_random_uuid()], array['retry'], null, null, array['1e999']::float8[])",
        "22003",
        NUMBER,
    ),
    (
        "extend_leases('w', array[gen_random_uuid()], array['MARK']::int[], array[gen_random_uuid()])",
        "22P02",
        SYNTAX,
    ),
];

const SYNTAX: &str = "a value does not have the syntax of its type";
const CHARACTER: &str = "a text holds a character that the database cannot store";
const NUMBER: &str = "a number is out of the range that the database can store";
const TIME: &str = "a time is malformed or out of range";

/// The statement fails in the server with this code, and the library's error of it tells no value.
async fn refused(
    stage: &Stage,
    session: &crate::support::Client,
    sql: &str,
    code: &str,
    says: &str,
) {
    let before = stage.contents().await;
    let sql = sql.replace("MARK", MARK);
    let error = session.query(&sql, &[]).await.expect_err(&sql);
    let said = error.as_db_error().unwrap_or_else(|| panic!("{sql}: {error}"));
    assert!(
        said.code().code().starts_with(code),
        "{sql}: {} {}",
        said.code().code(),
        said.message()
    );
    let ours = Error::from(error);
    let told = format!("{ours} {ours:?} {:?}", ours.hint());
    assert!(!told.contains(MARK), "{sql}: {told}");
    assert!(told.contains(says), "{sql} should say {says:?}: {told}");
    assert!(!ours.is_transient(), "{sql}: {told}");
    if code.starts_with("22") {
        assert_eq!(ours.hint(), Some("change the value; this call wrote nothing"), "{sql}");
    }
    stage.untouched(&before, &sql).await;
}

#[tokio::test]
async fn what_a_type_refuses_never_reaches_the_queue_and_is_told_without_the_value() {
    let stage = Stage::new().await;
    let (producer, worker) = (stage.db.producer().await, stage.db.worker().await);
    for (arguments, code, says) in JOBS {
        let arguments = arguments.replacen("T,", "'7e4a0000-0000-4000-8000-000000000001',", 1);
        let sql = format!("select fairclaim.dispatch_job({arguments})");
        refused(&stage, &producer, &sql, code, says).await;
    }
    for (rest, code, says) in ITEMS {
        let sql = format!(
            "select fairclaim.dispatch_jobs($j$[{{\"tenant_id\": \"7e4a0000-0000-4000-8000-000000000001\", \"type\": \"mail\", {rest}}}]$j$)"
        );
        refused(&stage, &producer, &sql, code, says).await;
    }
    for (call, code, says) in WORK {
        refused(&stage, &worker, &format!("select * from fairclaim.{call}"), code, says).await;
    }
}
