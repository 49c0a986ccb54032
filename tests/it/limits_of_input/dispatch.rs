//! What dispatch refuses.

use super::{MARK, all_refused, contents};
use crate::{calls::refused, support::TestDb};

#[tokio::test]
async fn a_bad_job_is_refused() {
    let db = TestDb::new().await;
    let producer = db.producer().await;
    let call = "select fairclaim.dispatch_job(p_payload => '{\"secret\": \"MARK\"}', ...)";
    let good = "p_tenant_id => '7e4a0000-0000-4000-8000-000000000001', p_type => 'mail', ";
    all_refused(
        &db,
        &producer,
        call,
        &[
            ("p_tenant_id", &["p_tenant_id => null, p_type => 'mail'"]),
            (
                "p_type",
                &[
                    "p_tenant_id => fairclaim.tenant_uuid('a'), p_type => null",
                    "p_tenant_id => fairclaim.tenant_uuid('a'), p_type => ''",
                    "p_tenant_id => fairclaim.tenant_uuid('a'), p_type => 'MARK mail'",
                    "p_tenant_id => fairclaim.tenant_uuid('a'), p_type => E'MARK\\n'",
                    "p_tenant_id => fairclaim.tenant_uuid('a'), p_type => '-MARK'",
                    "p_tenant_id => fairclaim.tenant_uuid('a'), p_type => 'MARKü'",
                    "p_tenant_id => fairclaim.tenant_uuid('a'), p_type => repeat('m', 65)",
                ],
            ),
        ],
    )
    .await;
    let table: [(&str, &[&str]); 7] = [
        ("p_queue", &["null", "''", "'MARK'", "'a b'", "E'a\\n'", "repeat('q', 65)", "'.a'"]),
        ("p_priority", &["null", "-101", "101", "2147483647"]),
        ("p_max_attempts", &["null", "0", "101", "-1"]),
        (
            "p_run_at",
            &[
                "'infinity'",
                "'-infinity'",
                "clock_timestamp() - interval '1 day 1 s'",
                "clock_timestamp() + interval '5 years 1 min'",
            ],
        ),
        ("p_timeout", &["'0'", "'-1 s'", "'24 h 1 s'", "'999 microseconds'"]),
        (
            "p_tags",
            &[
                "null",
                "array_fill('MARK'::text, array[21])",
                "array['']",
                "array[null]",
                "array[repeat('t', 65)]",
                "array[array['MARK', 'b'], array['c', 'd']]",
            ],
        ),
        (
            "p_metadata",
            &[
                "null",
                "'[\"MARK\"]'",
                "'\"MARK\"'",
                "'null'",
                "jsonb_build_object('MARK', repeat('m', 16384))",
                "jsonb_build_object('MARK', (repeat('[', 130) || repeat(']', 130))::jsonb)",
            ],
        ),
    ];
    for (field, bad) in table {
        let call = format!(
            "select fairclaim.dispatch_job(p_payload => '{{\"secret\": \"MARK\"}}', {good}{field} => ...)"
        );
        all_refused(&db, &producer, &call, &[(field, bad)]).await;
    }
    let payloads: &[&str] = &[
        "null",
        "jsonb_build_object('MARK', repeat('m', 1048576))",
        "(repeat('[', 129) || repeat(']', 129))::jsonb",
        "(repeat('{\"MARK\":', 129) || '1' || repeat('}', 129))::jsonb",
        "(repeat('{\"a\":[', 500) || '1' || repeat(']}', 500))::jsonb",
    ];
    let call = format!("select fairclaim.dispatch_job({good}p_payload => ...)");
    all_refused(&db, &producer, &call, &[("p_payload", payloads)]).await;
}

#[tokio::test]
async fn a_bad_batch_is_refused_whole_with_the_index_of_the_bad_job() {
    let db = TestDb::new().await;
    let producer = db.producer().await;
    let good = "{\"tenant_id\": \"7e4a0000-0000-4000-8000-000000000001\", \"type\": \"mail\", \"payload\": \"MARK\"}";
    all_refused(
        &db,
        &producer,
        "select * from fairclaim.dispatch_jobs(...)",
        &[(
            "p_jobs",
            &[
                "null",
                "'null'",
                "'{\"type\": \"MARK\"}'",
                "'\"MARK\"'",
                "'[]'",
                "(select jsonb_agg(jsonb_build_object('tenant_id', gen_random_uuid(), 'type', 'mail')) from generate_series(1, 10001))",
                "(select jsonb_agg(jsonb_build_object('tenant_id', gen_random_uuid(), 'type', 'mail', 'payload', repeat('m', 1000000)))
                    from generate_series(1, 68))",
            ],
        )],
    )
    .await;
    let items: [(&str, &[&str]); 13] = [
        (
            "p_jobs[1]",
            &[
                "3",
                "\"MARK\"",
                "null",
                "[]",
                "{\"MARK\": 1}",
                "{\"tenant_id\": null, \"type\": \"a\", \"p_queue\": \"MARK\"}",
            ],
        ),
        (
            "p_jobs[1].tenant_id",
            &["{\"type\": \"mail\"}", "{\"tenant_id\": null, \"type\": \"mail\"}", "{}"],
        ),
        (
            "p_jobs[1].type",
            &[
                "{T}",
                "{T, \"type\": \"\"}",
                "{T, \"type\": \"MARK mail\"}",
                "{T, \"type\": 7.5e400}",
            ],
        ),
        (
            "p_jobs[1].queue",
            &["{M, \"queue\": \"MARK\"}", "{M, \"queue\": \"\"}", "{M, \"queue\": \"a\\nb\"}"],
        ),
        ("p_jobs[1].priority", &["{M, \"priority\": 101}", "{M, \"priority\": -101}"]),
        ("p_jobs[1].max_attempts", &["{M, \"max_attempts\": 0}", "{M, \"max_attempts\": 101}"]),
        (
            "p_jobs[1].run_at",
            &[
                "{M, \"run_at\": \"infinity\"}",
                "{M, \"run_at\": \"1999-01-01\"}",
                "{M, \"run_at\": \"2999-01-01\"}",
            ],
        ),
        ("p_jobs[1].timeout", &["{M, \"timeout\": \"0 s\"}", "{M, \"timeout\": \"25 h\"}"]),
        ("p_jobs[1].tags", &["{M, \"tags\": [\"\"]}", "{M, \"tags\": [\"MARK\", null]}"]),
        ("p_jobs[1].metadata", &["{M, \"metadata\": [\"MARK\"]}", "{M, \"metadata\": 5}"]),
        ("p_jobs[1].payload", &["{M, \"payload\": DEEP}"]),
        (
            "p_jobs[1].priority",
            &["{M, \"priority\": 2147483647}", "{M, \"priority\": -2147483648}"],
        ),
        ("p_jobs[1].max_attempts", &["{M, \"max_attempts\": 2147483647}"]),
    ];
    for (field, bad) in items {
        for item in bad {
            let item = item
                .replace("{M", "{T, \"type\": \"mail\"")
                .replace('T', "\"tenant_id\": \"7e4a0000-0000-4000-8000-000000000001\"")
                .replace("DEEP", &format!("{}{}", "[".repeat(200), "]".repeat(200)));
            let call =
                format!("select * from fairclaim.dispatch_jobs($j$[{good}, {item}, {good}]$j$)");
            all_refused(&db, &producer, &call, &[(field, &[""])]).await;
        }
    }
}

/// What the input functions of the types refuse before ours run. Their messages name no payload; their DETAIL and CONTEXT
/// may, which is why no client passes those on.
#[tokio::test]
async fn what_a_type_refuses_never_reaches_the_queue() {
    let db = TestDb::new().await;
    let (producer, owner) = (db.producer().await, db.owner().await);
    let before = contents(&owner).await;
    let job = |payload: &str| {
        format!("select fairclaim.dispatch_job(gen_random_uuid(), 'mail', $j${payload}$j$)")
    };
    let item = |rest: &str| {
        format!(
            "select fairclaim.dispatch_jobs($j$[{{\"tenant_id\": \"7e4a0000-0000-4000-8000-000000000001\", \"type\": \"mail\", {rest}}}]$j$)"
        )
    };
    for (sql, code) in [
        (job("{\"a\": MARK}"), "22P02"),
        (job("{\"a\": \"MARK\\u0000\"}"), "22P05"),
        (job("{\"a\": \"MARK\\ud800\"}"), "22P02"),
        (item("\"payload\": {\"a\": \"MARK\\u0000\"}"), "22P05"),
        (item("\"payload\": \"MARK\", \"priority\": 3000000000"), "22003"),
        (item("\"payload\": \"MARK\", \"priority\": \"high\""), "22P02"),
        (item("\"payload\": \"MARK\", \"run_at\": \"soon\""), "22007"),
        (item("\"payload\": \"MARK\", \"timeout\": \"long\""), "22007"),
        ("select fairclaim.dispatch_job('7e4a', 'mail', '{\"a\": \"MARK\"}')".into(), "22P02"),
    ] {
        let error = refused(producer.query(&sql.replace("MARK", MARK), &[]).await, code);
        assert!(!error.message().contains(MARK), "{}", error.message());
    }
    assert_eq!(contents(&owner).await, before);
}
