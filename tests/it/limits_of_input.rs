//! Bad input is refused with its code, the name of the field and, in a batch, the index; nothing is written, and no
//! value of the caller's is repeated. The limits themselves are accepted.

#![expect(clippy::too_many_lines, reason = "tables of cases, one line a case")]

use tokio_postgres::{Client, error::DbError};

use crate::{
    calls::{claim_job, dispatch, refused, tenant},
    support::TestDb,
};

/// Stands in every payload and in every other value that a careless message might quote.
const MARK: &str = "MARKED-7c1f";

/// What the schema holds, to compare before and after.
async fn contents(owner: &Client) -> String {
    let sql = "select format('%s jobs %s ready %s scheduled %s running %s finished %s errors %s lanes',
                 (select count(*) from fairclaim.job), (select count(*) from fairclaim.ready), (select count(*) from fairclaim.scheduled),
                 (select string_agg(r::text, ' ' order by r.id) from fairclaim.running r), (select count(*) from fairclaim.finished),
                 (select count(*) from fairclaim.attempt_error), (select count(*) from fairclaim.lane))";
    owner.query_one(sql, &[]).await.expect("contents").get(0)
}

fn repeats_nothing(error: &DbError, sql: &str) {
    for text in
        [Some(error.message()), error.detail(), error.hint(), error.where_()].into_iter().flatten()
    {
        assert!(!text.contains(MARK), "{sql}\nquotes a value: {text}");
    }
}

/// Every statement must be refused with JQ004 (JQ002 where a tenant is what lacks), for the field it stands under.
async fn all_refused(db: &TestDb, session: &Client, call: &str, table: &[(&str, &[&str])]) {
    let owner = db.owner().await;
    let before = contents(&owner).await;
    for (field, bad) in table {
        for arguments in *bad {
            let sql = call.replace("...", arguments).replace("MARK", MARK);
            let code = if field.ends_with("tenant_id") { "JQ002" } else { "JQ004" };
            let error = refused(session.query(&sql, &[]).await, code);
            let message = error.message();
            assert!(
                message.starts_with(&format!("{field}: ")),
                "{sql}\nnames another field than {field}: {message}"
            );
            repeats_nothing(&error, &sql);
            // the session is as good as before
            session
                .query_one("select fairclaim.clock()", &[])
                .await
                .expect("a session after an error");
        }
    }
    assert_eq!(contents(&owner).await, before, "something was written");
}

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

#[tokio::test]
async fn a_bad_claim_is_refused() {
    let db = TestDb::new().await;
    let (producer, worker) = (db.producer().await, db.worker().await);
    dispatch(&producer, tenant(1), "mail").await;
    let lists: &[&str] =
        &["'{}'", "array[null]", "array['a', null]", "array_fill('a'::text, array[1001])"];
    let table: [(&str, &[&str]); 6] = [
        ("p_worker_id", &["null", "''", "E'MARK\\n'", "repeat('w', 256)", "chr(27) || 'MARK'"]),
        ("p_limit", &["null", "0", "-1", "1001"]),
        ("p_lease", &["null", "'0'", "'999 ms'", "'24 h 1 s'", "'-1 min'"]),
        ("p_queues", lists),
        ("p_types", lists),
        (
            "p_cursor",
            &[
                "''",
                "'MARK'",
                "'default|1|1'",
                "'default|x|0|0'",
                "'default|9223372036854775808|0|0'",
                "'default|1|9999999|0'",
                "'default|1|0|0;'",
                "'Default|1|0|0'",
                "array_to_string(array_fill('default|1|0|0'::text, array[34]), ';')",
                "repeat('d', 120) || '|1|0|0'",
            ],
        ),
    ];
    for (field, bad) in table {
        let others: Vec<String> = [("p_worker_id", "'w'"), ("p_queues", "null"), ("p_limit", "1")]
            .iter()
            .filter(|(name, _)| *name != field)
            .map(|(name, value)| format!("{name} => {value}"))
            .collect();
        let call =
            format!("select * from fairclaim.claim_jobs({}, {field} => ...)", others.join(", "));
        all_refused(&db, &worker, &call, &[(field, bad)]).await;
        if field != "p_limit" && field != "p_cursor" {
            let worker_id = if field == "p_worker_id" { "" } else { "p_worker_id => 'w', " };
            let call = format!("select * from fairclaim.claim_job({worker_id}{field} => ...)");
            all_refused(&db, &worker, &call, &[(field, bad)]).await;
        }
    }
    for sql in [
        "select * from fairclaim.claim_job('w')",
        "select * from fairclaim.claim_jobs('w', null, 1)",
        "select * from fairclaim.tick()",
    ] {
        for level in ["repeatable read", "serializable"] {
            worker.batch_execute(&format!("begin isolation level {level}")).await.expect("begin");
            let error = refused(worker.query(sql, &[]).await, "JQ004");
            assert!(error.message().starts_with("transaction: "), "{}", error.message());
            worker.batch_execute("rollback").await.expect("rollback");
        }
    }
    assert!(claim_job(&worker, "w").await.is_some(), "the job is still there");
}

#[tokio::test]
async fn a_bad_settlement_is_refused() {
    let db = TestDb::new().await;
    let (producer, worker) = (db.producer().await, db.worker().await);
    dispatch(&producer, tenant(1), "mail").await;
    let job = claim_job(&worker, "w").await.expect("a job");
    // the first of two items is good, so that "nothing written" means something
    let arguments = [
        ("p_worker_id", "'w'".to_owned()),
        ("p_ids", format!("array['{}', gen_random_uuid()]::uuid[]", job.id)),
        ("p_attempts", "array[1, 1]".to_owned()),
        ("p_lease_tokens", format!("array['{}', gen_random_uuid()]::uuid[]", job.token)),
        ("p_outcomes", "array['complete', 'complete']".to_owned()),
    ];
    let table: [(&str, &str, &[&str]); 13] = [
        ("p_worker_id", "p_worker_id", &["null", "''", "E'MARK\\t'", "repeat('w', 256)"]),
        (
            "p_ids",
            "p_ids",
            &[
                "null",
                "'{}'",
                "array[null, null]::uuid[]",
                "array[gen_random_uuid()]",
                "array_fill(gen_random_uuid(), array[10001])",
            ],
        ),
        ("p_attempts", "p_ids", &["null", "'{}'", "array[1]", "array[1, 1, 1]"]),
        ("p_lease_tokens", "p_ids", &["null", "'{}'", "array[gen_random_uuid()]"]),
        ("p_outcomes", "p_ids", &["null", "'{}'", "array['complete']"]),
        (
            "p_outcomes",
            "p_outcomes[1]",
            &[
                "array['complete', null]",
                "array['complete', 'MARK']",
                "array['complete', 'Complete']",
                "array['complete', 'lost']",
            ],
        ),
        ("p_results", "p_ids", &["array['\"MARK\"'::jsonb]", "'{}'"]),
        ("p_errors", "p_ids", &["array['\"MARK\"'::jsonb]", "'{}'"]),
        ("p_delays", "p_ids", &["array[1.0]", "'{}'"]),
        (
            "p_delays",
            "p_delays[1]",
            &[
                "array[1, -1]",
                "array[1, 'NaN']::float8[]",
                "array[1, 'infinity']::float8[]",
                "array[1, 157766401]",
            ],
        ),
        ("p_delays", "p_delays[0]", &["array[-0.001, null]"]),
        (
            "p_results",
            "p_results[1]",
            &[
                "array['1', to_jsonb(repeat('m', 1048576))]",
                "array['1', (repeat('[', 129) || repeat(']', 129))::jsonb]",
            ],
        ),
        (
            "p_results",
            "p_results[0]",
            &["array[jsonb_build_array('MARK', repeat('m', 1048576)), null]"],
        ),
    ];
    for (argument, field, bad) in table {
        let others: Vec<String> = arguments
            .iter()
            .filter(|(name, _)| *name != argument)
            .map(|(name, value)| format!("{name} => {value}"))
            .collect();
        let call = format!(
            "select * from fairclaim.settle_jobs({}, {argument} => ...)",
            others.join(", ")
        );
        all_refused(&db, &worker, &call, &[(field, bad)]).await;
    }
    let heartbeat = |rest: &str| format!("select * from fairclaim.extend_leases({rest})");
    let (ids, tokens) = (&arguments[1].1, &arguments[3].1);
    for (field, call, bad) in [
        (
            "p_worker_id",
            format!("..., {ids}, array[1, 1], {tokens}"),
            &["null", "''", "E'MARK\\n'"] as &[&str],
        ),
        (
            "p_ids",
            format!("'w', ..., array[1, 1], {tokens}"),
            &["null", "'{}'", "array[null, null]::uuid[]", "array[gen_random_uuid()]"],
        ),
        ("p_ids", format!("'w', {ids}, ..., {tokens}"), &["null", "array[1]"]),
        ("p_ids", format!("'w', {ids}, array[1, 1], ..."), &["null", "array[gen_random_uuid()]"]),
        (
            "p_lease",
            format!("'w', {ids}, array[1, 1], {tokens}, ..."),
            &["null", "'0.9 s'", "'25 h'"],
        ),
    ] {
        all_refused(&db, &worker, &heartbeat(&call), &[(field, bad)]).await;
    }
}

#[tokio::test]
async fn a_bad_call_of_an_operator_or_a_producer_is_refused() {
    let db = TestDb::new().await;
    let (producer, operator) = (db.producer().await, db.operator().await);
    dispatch(&producer, tenant(1), "mail").await;
    for function in ["cancel_jobs", "retry_jobs"] {
        let call = format!("select * from fairclaim.{function}(gen_random_uuid(), ...)");
        let bad: &[&str] =
            &["null", "'{}'", "array[null]::uuid[]", "array_fill(gen_random_uuid(), array[10001])"];
        all_refused(&db, &producer, &call, &[("p_ids", bad)]).await;
        let call = format!("select * from fairclaim.{function}(null, array[gen_random_uuid()]...)");
        all_refused(&db, &producer, &call, &[("p_tenant_id", &[""])]).await;
    }
    let table: [(&str, &[&str]); 2] =
        [("p_limit", &["null", "0", "1001"]), ("p_status", &["'MARK'", "''", "'Pending'"])];
    for (field, bad) in table {
        all_refused(
            &db,
            &operator,
            &format!("select * from fairclaim.list_jobs({field} => ...)"),
            &[(field, bad)],
        )
        .await;
    }
    all_refused(
        &db,
        &operator,
        "select * from fairclaim.prune(...)",
        &[("p_retention", &["'0'", "'-1 day'", "'59 min'"])],
    )
    .await;
    let names: &[&str] = &["null", "''", "repeat('n', 256)", "repeat('ü', 128)"];
    all_refused(&db, &producer, "select fairclaim.tenant_uuid(...)", &[("p_name", names)]).await;
}

#[tokio::test]
async fn the_limits_themselves_are_accepted() {
    let db = TestDb::new().await;
    let (producer, worker) = (db.producer().await, db.worker().await);
    let good = [
        "p_payload => to_jsonb(repeat('m', 1048574))",
        "p_payload => (repeat('[', 128) || repeat(']', 128))::jsonb",
        "p_payload => (repeat('{\"a\":', 128) || '1' || repeat('}', 128))::jsonb",
        "p_payload => to_jsonb(repeat('[{', 500))",
        "p_payload => 'null'",
        "p_queue => repeat('q', 64)",
        "p_queue => '0_a.b:c-d'",
        "p_priority => 100",
        "p_priority => -100",
        "p_max_attempts => 1",
        "p_max_attempts => 100",
        "p_run_at => clock_timestamp() - interval '23 h 59 min'",
        "p_run_at => clock_timestamp() + interval '5 years' - interval '1 min'",
        "p_timeout => '1 ms'",
        "p_timeout => '24 h'",
        "p_tags => array_fill(repeat('t', 64), array[20])",
        "p_metadata => jsonb_build_object('m', repeat('m', 16374))",
    ];
    for rest in good {
        let sql =
            format!("select fairclaim.dispatch_job(gen_random_uuid(), repeat('T', 64), {rest})");
        if let Err(error) = producer.query_one(&sql, &[]).await {
            panic!("{rest}: {:?}", error.as_db_error());
        }
    }
    let rows = producer
        .query(
            "select * from fairclaim.dispatch_jobs((select jsonb_agg(jsonb_build_object('tenant_id', gen_random_uuid(), 'type', 'mail'))
               from generate_series(1, 10000)))",
            &[],
        )
        .await
        .expect("ten thousand");
    assert_eq!(rows.len(), 10_000);
    let claim = "select * from fairclaim.claim_jobs(repeat('w', 255), array_fill('default'::text, array[1000]), 1000, p_lease => '24 h')";
    let rows = worker.query(claim, &[]).await.expect("the largest claim");
    assert_eq!(rows.len(), 1000);
    let one = "select * from fairclaim.claim_jobs('w', null, 1, p_lease => '1 s')";
    assert_eq!(worker.query(one, &[]).await.expect("the shortest lease").len(), 1);
}

/// A long error of an attempt is cut, never refused: it is not the caller's fault.
#[tokio::test]
async fn a_long_error_is_cut_to_16_kib() {
    let db = TestDb::new().await;
    let (producer, worker, owner) = (db.producer().await, db.worker().await, db.owner().await);
    for error in [
        "jsonb_build_object('code', repeat('c', 5000), 'message', repeat('m', 50000), 'trace', repeat('t', 500000))",
        "jsonb_build_object('code', repeat(chr(1), 5000), 'message', repeat(chr(1), 50000), 'trace', repeat(chr(1), 50000))",
        "jsonb_build_object('code', 'x', 'message', repeat('🦀', 50000), 'trace', repeat('🦀', 50000))",
        "to_jsonb(repeat('no object', 5000))",
    ] {
        dispatch(&producer, tenant(1), "mail").await;
        let job = claim_job(&worker, "w").await.expect("a job");
        let sql = format!(
            "select accepted from fairclaim.settle_jobs('w', array[$1::uuid], array[1], array[$2::uuid], array['fail'], null, array[{error}])"
        );
        assert!(
            worker
                .query_one(&sql, &[&job.id, &job.token])
                .await
                .expect("settle_jobs")
                .get::<_, bool>(0)
        );
        let sql = "select octet_length(f.error::text), f.error = e.error, left(f.error ->> 'message', 3) from fairclaim.finished f
                     join fairclaim.attempt_error e using (id) where id = $1";
        let row = owner.query_one(sql, &[&job.id]).await.expect("the final fact");
        assert!(row.get::<_, i32>(0) <= 16_384, "{} bytes of {error}", row.get::<_, i32>(0));
        assert!(row.get::<_, bool>(1), "the history says the same");
    }
}
