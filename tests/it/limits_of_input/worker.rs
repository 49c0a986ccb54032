//! What the calls of a worker refuse, and what they cut.

use super::all_refused;
use crate::{
    calls::{claim_job, dispatch, refused, tenant},
    support::TestDb,
};

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
                "array_fill(gen_random_uuid(), array[10001])",
            ],
        ),
        ("p_attempts", "p_attempts", &["null", "'{}'", "array[1]", "array[1, 1, 1]"]),
        ("p_lease_tokens", "p_lease_tokens", &["null", "'{}'", "array[gen_random_uuid()]"]),
        ("p_outcomes", "p_outcomes", &["null", "'{}'", "array['complete']"]),
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
        ("p_results", "p_results", &["array['\"MARK\"'::jsonb]", "'{}'"]),
        ("p_errors", "p_errors", &["array['\"MARK\"'::jsonb]", "'{}'"]),
        ("p_delays", "p_delays", &["array[1.0]", "'{}'"]),
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
            &["null", "'{}'", "array[null, null]::uuid[]"],
        ),
        ("p_attempts", format!("'w', {ids}, ..., {tokens}"), &["null", "array[1]"]),
        (
            "p_lease_tokens",
            format!("'w', {ids}, array[1, 1], ..."),
            &["null", "array[gen_random_uuid()]"],
        ),
        (
            "p_lease",
            format!("'w', {ids}, array[1, 1], {tokens}, ..."),
            &["null", "'0.9 s'", "'25 h'"],
        ),
    ] {
        all_refused(&db, &worker, &heartbeat(&call), &[(field, bad)]).await;
    }
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
