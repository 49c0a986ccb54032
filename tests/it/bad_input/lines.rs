//! `dispatch_lines`: the limits of what it takes beside the jobs.

use super::{Call, Limit, others, stage::Stage};

const GOOD: &[(&str, &str)] = &[
    ("p_source", "gen_random_uuid()::text"),
    ("p_after", "0"),
    ("p_through", "1"),
    (
        "p_jobs",
        "'[{\"tenant_id\": \"7e4a0000-0000-4000-8000-000000000001\", \"type\": \"mail\", \"payload\": \"MARK\"}]'",
    ),
];

/// The mark has 11 bytes.
const LIMITS: &[Limit] = &[
    Limit {
        field: "p_source",
        rule: "must be 1 to 255 bytes",
        good: &["'s'", "'MARK'", "repeat('s', 255)", "repeat('ü', 127)"],
        bad: &[
            "null",
            "''",
            "repeat('s', 256)",
            "'MARK' || repeat('s', 245)",
            "repeat('ü', 128)",
            "'MARK' || repeat('s', 1000000)",
        ],
    },
    Limit {
        field: "p_digest",
        rule: "must be 1 to 64 bytes or null",
        good: &["null", "'d'", "convert_to(repeat('d', 64), 'UTF8')"],
        bad: &[
            "''",
            "convert_to(repeat('d', 65), 'UTF8')",
            "convert_to('MARK' || repeat('d', 54), 'UTF8')",
        ],
    },
    Limit {
        field: "p_defaults",
        rule: "must be 1 to 64 bytes or null",
        good: &["null", "'d'", "convert_to(repeat('d', 64), 'UTF8')"],
        bad: &[
            "''",
            "convert_to(repeat('d', 65), 'UTF8')",
            "convert_to('MARK' || repeat('d', 54), 'UTF8')",
        ],
    },
    Limit {
        field: "p_after",
        rule: "must be 0 or more",
        good: &["0"],
        bad: &["null", "-1", "-9223372036854775808"],
    },
    Limit {
        field: "p_through",
        rule: "must be at least p_after",
        good: &["1", "9223372036854775807"],
        bad: &["null", "-1"],
    },
    Limit {
        field: "p_refused",
        rule: "must be 0 or more",
        good: &["0"],
        bad: &["null", "-1", "-2147483648"],
    },
    Limit {
        field: "p_jobs",
        rule: "must be an array of objects",
        good: &["'[]'"],
        bad: &["null", "'null'", "'\"MARK\"'", "'{\"type\": \"MARK\"}'"],
    },
];

#[tokio::test]
async fn lines_are_refused_beyond_every_limit_and_accepted_at_it() {
    let stage = Stage::new().await;
    let producer = stage.db.producer().await;
    let call = Call::new(&stage, &producer, "");
    call.table(LIMITS, |field| {
        format!(
            "select accepted from fairclaim.dispatch_lines({}{field} => …)",
            others(GOOD, field)
        )
    })
    .await;
    stage.names_nothing().await;
}

#[tokio::test]
async fn more_jobs_than_lines_are_refused() {
    let stage = Stage::new().await;
    let producer = stage.db.producer().await;
    let call = Call::new(&stage, &producer, "the lines are those after p_after, up to p_through");
    let table = [Limit {
        field: "p_jobs",
        rule: "must have, with p_refused, at most one job a line",
        good: &["(0, 2, 'MARK')", "(1, 1, 'MARK')", "(0, 1, 'MARK')"],
        bad: &["(0, 3, 'MARK')", "(1, 2, 'MARK')", "(3, 0, 'MARK')", "(2147483647, 0, 'MARK')"],
    }];
    call.table(&table, |_| {
        "select l.accepted from (values …) x(refused, jobs, payload)
          cross join lateral (
            select coalesce(jsonb_agg(jsonb_build_object('tenant_id', gen_random_uuid(), 'type', 'mail', 'payload', x.payload || g)), '[]') jobs
              from generate_series(1, x.jobs) g) b
          cross join lateral fairclaim.dispatch_lines(gen_random_uuid()::text, 0, 2, b.jobs, x.refused) l"
            .to_owned()
    })
    .await;
}
