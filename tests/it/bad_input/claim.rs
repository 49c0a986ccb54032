//! `claim_jobs`, `claim_job`, `settle_and_claim`: what a worker may ask for.

use super::{Call, Limit, argument, others, stage::Stage};
use crate::calls::{claim_job, dispatch, tenant};

const GOOD: &[(&str, &str)] = &[("p_worker_id", "'w'"), ("p_queues", "null"), ("p_limit", "1")];

pub(super) const WORKER_ID: Limit = Limit {
    field: "p_worker_id",
    rule: "must have 1 to 255 printable characters",
    good: &[
        "'w'",
        "repeat('w', 254)",
        "repeat('ü', 255)",
        "E'\\'; drop table fairclaim_internal.job; --'",
        "'日本 👩‍💻'",
    ],
    bad: &[
        "null",
        "''",
        "repeat('w', 256)",
        "E'MARK\\n'",
        "E'MARK\\t'",
        "chr(27) || '[31mMARK'",
        "chr(127) || 'MARK'",
        "chr(155) || '31mMARK'", // a terminal's other way to begin a sequence
        "chr(133) || 'MARK'",
        "repeat('MARK', 100000)",
    ],
};

pub(super) const LEASE: Limit = Limit {
    field: "p_lease",
    rule: "must be seconds from 1 to 86,400 (24 h)",
    good: &["1", "1.001", "86399", "86400"],
    bad: &["null", "0", "0.999", "86400.001", "-60", "1e300", "'NaN'", "'infinity'", "'-infinity'"],
};

const LISTS: &[&str] = &[
    "'{}'",
    "array[null]::text[]",
    "array['a', null]",
    "array_fill('a'::text, array[1001])",
    "array[array['a'], array['b']]",
];

const LIMITS: &[Limit] = &[
    WORKER_ID,
    LEASE,
    Limit {
        field: "p_limit",
        rule: "must be from 1 to 1,000",
        good: &["1", "2", "999", "1000"],
        bad: &["null", "0", "-1", "1001", "-2147483648", "2147483647"],
    },
    Limit {
        field: "p_queues",
        rule: "must be null (every queue) or a list of 1 to 1,000 names without nulls",
        good: &[
            "null",
            "array['none']",
            "array_fill('none'::text, array[999])",
            "array_fill('none'::text, array[1000])",
        ],
        bad: LISTS,
    },
    Limit {
        field: "p_queues[1]",
        rule: "must match ^[a-z0-9][a-z0-9_.:-]*$ and have at most 64 characters",
        good: &["array['none', repeat('n', 64)]"],
        bad: &[
            "array['none', 'MARK']",
            "array['none', '']",
            "array['none', repeat('n', 65)]",
            "array['none', E'a\\n']",
        ],
    },
    Limit {
        field: "p_types",
        rule: "must be null (every type) or a list of 1 to 1,000 names without nulls",
        good: &["null", "array['None']", "array_fill('None'::text, array[1000])"],
        bad: LISTS,
    },
    Limit {
        field: "p_types[1]",
        rule: "must match ^[A-Za-z0-9][A-Za-z0-9_.:-]*$ and have at most 64 characters",
        good: &["array['None', repeat('N', 64)]"],
        bad: &["array['None', 'MARK mail']", "array['None', '']", "array['None', repeat('N', 65)]"],
    },
    Limit {
        field: "p_cursor",
        rule: "must be null or the next_cursor of an earlier claim",
        good: &[
            "null",
            "'default|1|0|0'",
            "'default|-9223372036854775808|0|0'",
            "array_to_string(array_fill('default|1|0|0'::text, array[33]), ';')",
        ],
        bad: &[
            "''",
            "'MARK'",
            "'default|1|1'",
            "'default|x|0|0'",
            "'default|1|0|0;'",
            "'default|1|0|0|MARK'",
            "'default|9223372036854775808|0|0'",
            "'default|1|9999999|0'",
            "'Default|1|0|0'",
            "E'default|1|0|0\\n'",
            "array_to_string(array_fill('default|1|0|0'::text, array[34]), ';')",
            "repeat('d', 120) || '|1|0|0'",
            "repeat('default|1|0|0;', 100000)",
        ],
    },
];

fn hint(field: &str) -> &'static str {
    match field {
        "p_cursor" => "begin again with null",
        "p_queues" => "pass null or the names of queues",
        "p_types" => "pass null or the names of types",
        _ => "",
    }
}

#[tokio::test]
async fn a_claim_is_refused_beyond_every_limit_and_accepted_at_it() {
    let stage = Stage::new().await;
    let (producer, worker) = (stage.db.producer().await, stage.db.worker().await);
    for limit in LIMITS {
        // something to claim, so that "nothing written" means something
        dispatch(&producer, tenant(1), "mail").await;
        let call = Call::new(&stage, &worker, hint(limit.field));
        let field = argument(limit.field);
        let limit = std::slice::from_ref(limit);
        let rest = others(GOOD, field);
        call.table(limit, |_| format!("select * from fairclaim.claim_jobs({rest}{field} => …)"))
            .await;
        if !matches!(field, "p_limit" | "p_cursor") {
            let rest = if field == "p_worker_id" { "" } else { "p_worker_id => 'w', " };
            call.table(limit, |_| format!("select * from fairclaim.claim_job({rest}{field} => …)"))
                .await;
        }
    }
    stage.names_nothing().await;
}

#[tokio::test]
async fn a_claim_outside_read_committed_is_refused() {
    let stage = Stage::new().await;
    let (producer, worker) = (stage.db.producer().await, stage.db.worker().await);
    dispatch(&producer, tenant(1), "mail").await;
    for level in ["repeatable read", "serializable"] {
        worker
            .batch_execute(&format!("set default_transaction_isolation = '{level}'"))
            .await
            .expect("set");
        for (sql, rule) in [
            (
                "select * from fairclaim.claim_job('w')",
                "claims need isolation level read committed",
            ),
            (
                "select * from fairclaim.claim_jobs('w', null, 1)",
                "claims need isolation level read committed",
            ),
            (
                "select * from fairclaim.extend_leases('w', array[gen_random_uuid()], array[1], array[gen_random_uuid()])",
                "isolation level read committed",
            ),
            ("select * from fairclaim.tick()", "read committed"),
        ] {
            Call::new(&stage, &worker, "read committed").refused("transaction", rule, sql).await;
        }
    }
    worker.batch_execute("reset default_transaction_isolation").await.expect("reset");
    assert!(claim_job(&worker, "w").await.is_some(), "the job is still there");
}

/// Without ids there is nothing to settle, so no list may have an item; empty lists and nulls are as good as each other.
const NO_IDS: &[Limit] = &[
    Limit {
        field: "p_attempts",
        rule: RULE,
        good: &["null", "'{}'"],
        bad: &["array[1]", "array[null]::int[]"],
    },
    Limit {
        field: "p_lease_tokens",
        rule: RULE,
        good: &["null", "'{}'"],
        bad: &["array[gen_random_uuid()]"],
    },
    Limit {
        field: "p_outcomes",
        rule: RULE,
        good: &["null", "'{}'"],
        bad: &["array['complete']", "array['MARK']"],
    },
    Limit { field: "p_results", rule: RULE, good: &["null", "'{}'"], bad: &["array['\"MARK\"']"] },
    Limit { field: "p_errors", rule: RULE, good: &["null", "'{}'"], bad: &["array['\"MARK\"']"] },
    Limit { field: "p_delays", rule: RULE, good: &["null", "'{}'"], bad: &["array[1.0]"] },
];
const RULE: &str = "must have as many items as p_ids";

#[tokio::test]
async fn a_worker_that_lost_its_ids_does_not_believe_that_it_settled() {
    const LISTS: &[(&str, &str)] = &[
        ("p_attempts", "null"),
        ("p_lease_tokens", "'{}'"),
        ("p_outcomes", "null"),
        ("p_results", "'{}'"),
        ("p_errors", "null"),
        ("p_delays", "'{}'"),
    ];
    let stage = Stage::new().await;
    let (producer, worker) = (stage.db.producer().await, stage.db.worker().await);
    let call = Call::new(&stage, &worker, "");
    for (ids, limit) in [("null", 1), ("'{}'", 0), ("'{}'", 1)] {
        dispatch(&producer, tenant(1), "mail").await;
        call.table(NO_IDS, |field| {
            let rest = others(LISTS, field);
            format!(
                "select * from fairclaim.settle_and_claim('w', p_ids => {ids}, {rest}{field} => …, p_queues => null, p_limit => {limit})"
            )
        })
        .await;
    }
}
