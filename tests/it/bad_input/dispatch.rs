//! `dispatch_job`: every limit of a job.

use super::{Call, Limit, others, stage::Stage};

const GOOD: &[(&str, &str)] = &[
    ("p_tenant_id", "'7e4a0000-0000-4000-8000-000000000001'"),
    ("p_type", "'mail'"),
    ("p_payload", "'{\"secret\": \"MARK\"}'"),
    ("p_metadata", "'{\"note\": \"MARK\"}'"),
];

/// The mark has 11 bytes.
const LIMITS: &[Limit] = &[
    Limit {
        field: "p_type",
        rule: "must match ^[A-Za-z0-9][A-Za-z0-9_.:-]*$ and have at most 64 characters",
        good: &["'T'", "repeat('T', 63)", "repeat('T', 64)", "'0_a.B:c-d'"],
        bad: &[
            "null",
            "''",
            "'MARK mail'",
            "E'MARK\\n'",
            "'-MARK'",
            "'_MARK'",
            "'MARKü'",
            "'MARK\"; drop table fairclaim_internal.job; --'",
            "E'MARK\\u001b[31m'",
            "E'MARK\\u202e'",
            "repeat('T', 65)",
            "repeat('T', 1000000)",
        ],
    },
    Limit {
        field: "p_queue",
        rule: "must match ^[a-z0-9][a-z0-9_.:-]*$ and have at most 64 characters",
        good: &["'q'", "repeat('q', 63)", "repeat('q', 64)", "'0_a.b:c-d'"],
        bad: &[
            "null",
            "''",
            "'MARK'",
            "'a b'",
            "E'a\\n'",
            "'.a'",
            "'ä'",
            "E'a\\u001b[31m'",
            "repeat('q', 65)",
            "repeat('q', 1000000)",
        ],
    },
    Limit {
        field: "p_priority",
        rule: "must be from -100 to 100",
        good: &["-100", "-99", "0", "99", "100"],
        bad: &["null", "-101", "101", "-2147483648", "2147483647"],
    },
    Limit {
        field: "p_max_attempts",
        rule: "must be from 1 to 100",
        good: &["1", "2", "99", "100"],
        bad: &["null", "0", "101", "-1", "2147483647"],
    },
    Limit {
        field: "p_run_at",
        rule: "must be finite, at most 1 day ago and at most 5 years ahead",
        good: &[
            "null",
            "clock_timestamp() - interval '23 h 59 min'",
            "clock_timestamp() + interval '1 s'",
            "clock_timestamp() + interval '5 years' - interval '1 min'",
        ],
        bad: &[
            "'infinity'",
            "'-infinity'",
            "clock_timestamp() - interval '1 day 1 s'",
            "clock_timestamp() + interval '5 years 1 min'",
            "'4713-01-01 BC'",
            "'294276-12-31'",
        ],
    },
    Limit {
        field: "p_timeout",
        rule: "must be from 1 ms to 24 h",
        good: &["null", "0.001", "1", "86399.5", "86400"],
        bad: &["0", "-1", "0.000999", "86400.000001", "'infinity'", "'-infinity'", "'NaN'"],
    },
    Limit {
        field: "p_delay",
        rule: "must be from 0 to 5 years",
        good: &["null", "0", "1e-9", "0.5", "157766399.5", "157766400"],
        bad: &["-0.001", "157766400.001", "1e300", "'infinity'", "'-infinity'", "'NaN'"],
    },
    Limit {
        field: "p_delay",
        rule: "excludes p_run_at",
        good: &["null, p_run_at => clock_timestamp()", "5, p_run_at => null"],
        bad: &["0, p_run_at => clock_timestamp()", "5, p_run_at => clock_timestamp()"],
    },
    Limit {
        field: "p_tenant",
        rule: "excludes p_tenant_id",
        good: &["null"],
        bad: &["'acme'", "''", "'MARK'"],
    },
    Limit {
        field: "p_payload",
        rule: "must be at most 1048576 bytes of JSON text",
        good: &[
            "to_jsonb('MARK' || repeat('m', 1048562))",
            "to_jsonb('MARK' || repeat('m', 1048563))",
        ],
        bad: &[
            "to_jsonb('MARK' || repeat('m', 1048564))",
            "to_jsonb('MARK' || repeat('ü', 524282))",
            "jsonb_build_object('MARK', repeat('m', 1048576))",
            "'[\"MARK\"]'::jsonb || (select jsonb_agg(1e300) from generate_series(1, 4000))",
        ],
    },
    Limit {
        field: "p_payload",
        rule: "must nest at most 128 deep",
        good: &[
            "(repeat('[', 127) || repeat(']', 127))::jsonb",
            "(repeat('[', 128) || repeat(']', 128))::jsonb",
            "(repeat('{\"a\":', 128) || '1' || repeat('}', 128))::jsonb",
            "to_jsonb(repeat('[{', 500))",
            "'null'",
            "'7'",
            "'\"MARK\"'",
            "'[]'",
            "'{\"a\": 1, \"a\": 2}'",
            "'1e400'",
        ],
        bad: &[
            "(repeat('[', 129) || repeat(']', 129))::jsonb",
            "(repeat('{\"MARK\":', 129) || '1' || repeat('}', 129))::jsonb",
            "(repeat('{\"a\":[', 500) || '\"MARK\"' || repeat(']}', 500))::jsonb",
            "(repeat('[', 3000) || repeat(']', 3000))::jsonb",
        ],
    },
    Limit { field: "p_payload", rule: "must not be null", good: &["'{}'"], bad: &["null"] },
    Limit {
        field: "p_tags",
        rule: "must be a list of at most 20",
        good: &[
            "'{}'",
            "array_fill('t'::text, array[19])",
            "array_fill(repeat('t', 64), array[20])",
        ],
        bad: &["array_fill('MARK'::text, array[21])", "array[array['MARK', 'b'], array['c', 'd']]"],
    },
    Limit {
        field: "p_tags",
        rule: "each must have 1 to 64 characters",
        good: &["array['t']", "array[repeat('ü', 64)]"],
        bad: &[
            "array['']",
            "array[null]",
            "array['MARK', null]",
            "array['MARK' || repeat('t', 54)]",
        ],
    },
    Limit { field: "p_tags", rule: "must not be null", good: &[], bad: &["null"] },
    Limit {
        field: "p_metadata",
        rule: "must be an object",
        good: &["'{}'", "'{\"a\": null}'"],
        bad: &["null", "'[\"MARK\"]'", "'\"MARK\"'", "'null'", "'5'"],
    },
    Limit {
        field: "p_metadata",
        rule: "must be at most 16384 bytes of JSON text",
        good: &[
            "jsonb_build_object('m', repeat('m', 16374))",
            "jsonb_build_object('m', repeat('m', 16375))",
        ],
        bad: &[
            "jsonb_build_object('m', repeat('m', 16376))",
            "jsonb_build_object('MARK', repeat('m', 1000000))",
        ],
    },
    Limit {
        field: "p_metadata",
        rule: "must nest at most 128 deep",
        good: &["jsonb_build_object('m', (repeat('[', 127) || repeat(']', 127))::jsonb)"],
        bad: &["jsonb_build_object('MARK', (repeat('[', 128) || repeat(']', 128))::jsonb)"],
    },
];

#[tokio::test]
async fn a_job_is_refused_beyond_every_limit_and_accepted_at_it() {
    let stage = Stage::new().await;
    let producer = stage.db.producer().await;
    let call = Call::new(&stage, &producer, "");
    call.table(LIMITS, |field| {
        format!("select fairclaim.dispatch_job({}{field} => …)", others(GOOD, field))
    })
    .await;
    stage.names_nothing().await;
}

#[tokio::test]
async fn a_job_without_a_tenant_is_refused_as_such() {
    let stage = Stage::new().await;
    let producer = stage.db.producer().await;
    let call = Call { code: "JQ002", ..Call::new(&stage, &producer, "") };
    let table = [Limit { field: "p_tenant_id", rule: "is missing", good: &[], bad: &["null"] }];
    call.table(&table, |field| {
        format!("select fairclaim.dispatch_job({}{field} => …)", others(GOOD, field))
    })
    .await;
}

/// A name of a tenant, in a call that gives no id.
const NAMES: &[Limit] = &[Limit {
    field: "p_tenant",
    rule: "must be 1 to 255 bytes without control characters",
    good: &[
        "'a'",
        "'MARK'",
        "repeat('t', 255)",
        "repeat('ü', 127)",
        "'42'",
        "gen_random_uuid()::text",
    ],
    bad: &[
        "''",
        "repeat('t', 256)",
        "repeat('ü', 128)",
        "E'MARK\\n'",
        "E'\\tMARK'",
        "E'MARK\\u007f'",
        "E'MARK\\u009b31m'",
        "repeat('MARK', 250000)",
    ],
}];

#[tokio::test]
async fn a_name_of_a_tenant_is_refused_beyond_every_limit_and_accepted_at_it() {
    let stage = Stage::new().await;
    let producer = stage.db.producer().await;
    let call = Call::new(&stage, &producer, "use the name or the number that your application");
    call.table(NAMES, |_| {
        "select fairclaim.dispatch_job(p_type => 'mail', p_tenant => …)".to_owned()
    })
    .await;
    stage.names_nothing().await;
}

#[tokio::test]
async fn a_limit_that_the_owner_lowers_is_the_one_that_is_told() {
    let stage = Stage::new().await;
    let lower = "update fairclaim_internal.setting set max_payload = 2048";
    stage.db.owner().await.batch_execute(lower).await.expect("a lower limit");
    let producer = stage.db.producer().await;
    let call = Call::new(&stage, &producer, "");
    let table = [Limit {
        field: "p_payload",
        rule: "must be at most 2048 bytes of JSON text",
        good: &["to_jsonb('MARK' || repeat('m', 2035))"],
        bad: &["to_jsonb('MARK' || repeat('m', 2036))"],
    }];
    call.table(&table, |field| {
        format!("select fairclaim.dispatch_job({}{field} => …)", others(GOOD, field))
    })
    .await;
    let call = Call::new(&stage, &producer, "send the batch again: nothing was written");
    let table = [Limit {
        field: "p_jobs[0].payload",
        rule: "must be at most 2048 bytes of JSON text",
        good: &["repeat('m', 2046)"],
        bad: &["repeat('m', 2047)"],
    }];
    call.table(&table, |_| {
        "select fairclaim.dispatch_jobs(jsonb_build_array(jsonb_build_object('tenant_id', gen_random_uuid(), 'type', 'mail', 'payload', …)))"
            .to_owned()
    })
    .await;
}
