//! `settle_jobs`, `extend_leases`: the lists of a worker, and what becomes of an error that is too long.

use super::{
    Call, Limit, argument,
    claim::{LEASE, WORKER_ID},
    others,
    stage::Stage,
};
use crate::{
    calls::{Claimed, claim_job, dispatch, tenant},
    support::TestDb,
};

const UUIDS: &[&str] =
    &["null", "'{}'", "array[gen_random_uuid()]", "array_fill(gen_random_uuid(), array[3])"];
/// Two of them, counted from 0.
const FROM_0: &str =
    "'[0:1]={7e4a0000-0000-4000-8000-000000000001,7e4a0000-0000-4000-8000-000000000002}'::uuid[]";
const BOUNDS: &str = "must be one list that begins at 1";
const LENGTH: &str = "must have as many items as p_ids";
const OUTCOMES: &str = "must be complete, retry, fail, snooze, release or cancel";
const DELAYS: &str = "must be seconds from 0 to 5 years";

/// Two settlements, of which the second is of no job; so nothing but the first can be written. In the refused ones it is good.
const LIMITS: &[Limit] = &[
    WORKER_ID,
    Limit {
        field: "p_ids",
        rule: "must be a list of at most 10,000 ids without nulls",
        good: &[],
        bad: &[
            "null",
            "array[null, null]::uuid[]",
            "array[gen_random_uuid(), null]",
            "array_fill(gen_random_uuid(), array[10001])",
            "array[array[gen_random_uuid()], array[gen_random_uuid()]]",
            "array_fill(gen_random_uuid(), array[2], array[2])",
            FROM_0,
        ],
    },
    Limit {
        field: "p_attempts",
        rule: LENGTH,
        good: &["array[0, 0]", "array[null, -1]"],
        bad: &["null", "'{}'", "array[1]", "array[1, 1, 1]"],
    },
    Limit {
        field: "p_lease_tokens",
        rule: LENGTH,
        good: &["array_fill(gen_random_uuid(), array[2])", "array[null, null]::uuid[]"],
        bad: UUIDS,
    },
    Limit {
        field: "p_outcomes",
        rule: LENGTH,
        good: &[],
        bad: &["null", "'{}'", "array['complete']"],
    },
    Limit {
        field: "p_attempts",
        rule: BOUNDS,
        good: &[],
        bad: &["'[0:1]={1,1}'::int[]", "array[array[1], array[1]]", "array[array[1, 1]]"],
    },
    Limit { field: "p_lease_tokens", rule: BOUNDS, good: &[], bad: &[FROM_0] },
    Limit {
        field: "p_outcomes",
        rule: BOUNDS,
        good: &[],
        bad: &["'[2:3]={complete,complete}'::text[]", "array[array['complete', 'retry']]"],
    },
    Limit {
        field: "p_results",
        rule: BOUNDS,
        good: &[],
        bad: &["'[0:1]={1,2}'::text[]", "'[0:1]={null,null}'::text[]"],
    },
    Limit {
        field: "p_errors",
        rule: BOUNDS,
        good: &[],
        bad: &["'[-1:0]={1,2}'::text[]", "'[0:1]={null,null}'::text[]"],
    },
    Limit {
        field: "p_delays",
        rule: BOUNDS,
        good: &[],
        bad: &["'[0:1]={1,2}'::float8[]", "'[0:1]={null,null}'::float8[]"],
    },
    Limit {
        field: "p_outcomes[1]",
        rule: OUTCOMES,
        good: &[],
        bad: &[
            "array['complete', null]",
            "array['complete', 'MARK']",
            "array['complete', 'Complete']",
            "array['complete', '']",
            "array['complete', 'lost']",
        ],
    },
    Limit {
        field: "p_results",
        rule: LENGTH,
        good: &["null"],
        bad: &["array['\"MARK\"']", "'{}'"],
    },
    Limit {
        field: "p_errors",
        rule: LENGTH,
        good: &["null", "array[null, null]::text[]"],
        bad: &["array['\"MARK\"']", "'{}'"],
    },
    Limit {
        field: "p_delays",
        rule: LENGTH,
        good: &["null", "array[null, null]::float8[]"],
        bad: &["array[1.0]", "'{}'"],
    },
    Limit {
        field: "p_delays[1]",
        rule: DELAYS,
        good: &[],
        bad: &[
            "array[1, -1]",
            "array[1, 'NaN']::float8[]",
            "array[1, 'infinity']::float8[]",
            "array[1, '-infinity']::float8[]",
            "array[null, 157766400.1]",
            "array[1, 1e300]",
        ],
    },
    Limit {
        field: "p_delays[0]",
        rule: DELAYS,
        good: &[],
        bad: &["array[-0.001, null]", "array[-1e-300, 0]"],
    },
];

const EXTENSION: &[Limit] = &[
    WORKER_ID,
    LEASE,
    Limit {
        field: "p_ids",
        rule: "must be a list of at most 10,000 ids without nulls",
        good: &["array_fill(gen_random_uuid(), array[2])"],
        bad: &[
            "null",
            "array[null, null]::uuid[]",
            "array_fill(gen_random_uuid(), array[10001])",
            "array[array[gen_random_uuid()], array[gen_random_uuid()]]",
            FROM_0,
        ],
    },
    Limit {
        field: "p_attempts",
        rule: LENGTH,
        good: &["array[1, null]"],
        bad: &["null", "'{}'", "array[1]", "array[1, 1, 1]"],
    },
    Limit { field: "p_attempts", rule: BOUNDS, good: &[], bad: &["'[0:1]={1,1}'::int[]"] },
    Limit { field: "p_lease_tokens", rule: LENGTH, good: &[], bad: UUIDS },
    Limit { field: "p_lease_tokens", rule: BOUNDS, good: &[], bad: &[FROM_0] },
];

/// A claimed job, and the arguments that would settle it, with one of no job behind it.
async fn claimed(stage: &Stage) -> (crate::support::Client, Claimed) {
    let (producer, worker) = (stage.db.producer().await, stage.db.worker().await);
    dispatch(&producer, tenant(1), "mail").await;
    let job = claim_job(&worker, "w").await.expect("a job");
    (worker, job)
}

/// A retry may come at once, since it uses an attempt up; a snooze needs a pause.
async fn delays_are_refused_beyond_their_bounds(
    call: &Call<'_>,
    all: &[(&str, &str)],
    stale: &[(&str, &str)],
) {
    for bad in ["null", "array[1, null]"] {
        let rest = others(all, "p_outcomes");
        let sql = format!(
            "select * from fairclaim.settle_jobs({rest}p_outcomes => array['complete', 'snooze'], p_delays => {bad})"
        );
        call.refused("p_delays[1]", "must not be null where the outcome is snooze", &sql).await;
    }
    for bad in ["0", "0.0999"] {
        let rest = others(all, "p_outcomes");
        let sql = format!(
            "select * from fairclaim.settle_jobs({rest}p_outcomes => array['complete', 'snooze'], p_delays => array[null, {bad}])"
        );
        let rule = "must be at least 0.1 where the outcome is snooze";
        call.refused("p_delays[1]", rule, &sql).await;
        let rest = others(stale, "p_outcomes");
        call.accepted(&format!(
            "select * from fairclaim.settle_jobs({rest}p_outcomes => array['retry', 'snooze'], p_delays => array[{bad}, 0.1])"
        ))
        .await;
    }
    for good in ["0", "157766399.9", "157766400"] {
        let rest = others(stale, "p_outcomes");
        call.accepted(&format!(
            "select * from fairclaim.settle_jobs({rest}p_outcomes => array['retry', 'snooze'], p_delays => array[{good}, 157766400])"
        ))
        .await;
    }
}

#[tokio::test]
async fn a_settlement_is_refused_beyond_every_limit_and_accepted_at_it() {
    let stage = Stage::new().await;
    let (worker, job) = claimed(&stage).await;
    let ids = format!("array['{}', gen_random_uuid()]::uuid[]", job.id);
    let tokens = format!("array['{}', gen_random_uuid()]::uuid[]", job.token);
    let all = [
        ("p_worker_id", "'w'"),
        ("p_ids", ids.as_str()),
        ("p_attempts", "array[1, 1]"),
        ("p_lease_tokens", tokens.as_str()),
        // the first one would be written, if anything were
        ("p_outcomes", "array['complete', 'complete']"),
    ];
    let mut stale = all;
    stale[3].1 = "array_fill(gen_random_uuid(), array[2])";
    let call = Call::new(&stage, &worker, "");
    for limit in LIMITS {
        let field = argument(limit.field);
        let sql = |arguments: &[(&str, &str)], value: &str| {
            format!(
                "select * from fairclaim.settle_jobs({}{field} => {value})",
                others(arguments, field)
            )
        };
        for bad in limit.bad {
            call.refused(limit.field, limit.rule, &sql(&all, bad)).await;
            // by settle_and_claim too, whose other half would have claimed
            let rest =
                others(&[("p_results", "null"), ("p_errors", "null"), ("p_delays", "null")], field);
            let both = format!(
                "select * from fairclaim.settle_and_claim({}{rest}{field} => {bad}, p_queues => null, p_limit => 1)",
                others(&all, field)
            );
            // a call without ids settles nothing, and its other lists have items
            if field == "p_ids" && *bad == "null" {
                call.refused("p_attempts", LENGTH, &both).await;
            } else {
                call.refused(limit.field, limit.rule, &both).await;
            }
        }
        for good in limit.good {
            call.accepted(&sql(&stale, good)).await;
        }
    }
    delays_are_refused_beyond_their_bounds(&call, &all, &stale).await;
    let sql =
        format!("select * from fairclaim.settle_jobs({})", others(&all, "").trim_end_matches(", "));
    let rows = worker.query(&sql, &[]).await.expect("settle_jobs");
    let kinds: Vec<&str> = rows.iter().map(|row| row.get("kind")).collect();
    assert_eq!(kinds, ["settled", "stale"], "the lease was still held");
    stage.names_nothing().await;
}

/// What an outcome has no use for, and what would be kept of it.
#[tokio::test]
async fn what_an_outcome_has_no_use_for_is_refused_and_not_dropped_in_silence() {
    const RESULT: &str = "must be null unless the outcome is complete";
    const ERROR: &str = "must be null unless the outcome is retry, fail or cancel";
    const DELAY: &str = "must be null unless the outcome is retry or snooze";
    let stage = Stage::new().await;
    let (worker, _job) = claimed(&stage).await;
    let two = "'w', array_fill(gen_random_uuid(), array[2]), array[1, 1], array_fill(gen_random_uuid(), array[2])";
    for outcome in ["complete", "retry", "fail", "snooze", "release", "cancel"] {
        let snoozes = outcome == "snooze";
        for (list, rule, used, value) in [
            ("p_results", RESULT, outcome == "complete", "'\"MARK\"'"),
            ("p_errors", ERROR, matches!(outcome, "retry" | "fail" | "cancel"), "'\"MARK\"'"),
            ("p_delays", DELAY, matches!(outcome, "retry" | "snooze"), "1.0"),
        ] {
            let delays =
                if snoozes && list != "p_delays" { ", p_delays => array[null, 1.0]" } else { "" };
            let sql = format!(
                "select * from fairclaim.settle_jobs({two}, array['complete', '{outcome}'], {list} => array[null, {value}]{delays})"
            );
            let call = Call::new(&stage, &worker, "leave its");
            if used {
                call.accepted(&sql).await;
            } else {
                call.refused(&format!("{list}[1]"), rule, &sql).await;
            }
        }
    }
}

#[tokio::test]
async fn empty_lists_are_answered_by_nothing() {
    let stage = Stage::new().await;
    let worker = stage.db.worker().await;
    for sql in [
        "select * from fairclaim.settle_jobs('w', '{}', '{}', '{}', '{}')",
        "select * from fairclaim.settle_jobs('w', '{}', null, null, null, '{}', '{}', '{}')",
        "select * from fairclaim.extend_leases('w', '{}', '{}', null)",
    ] {
        assert!(worker.query(sql, &[]).await.expect(sql).is_empty(), "{sql}");
    }
    let call = Call::new(&stage, &worker, "");
    for sql in [
        "select * from fairclaim.settle_jobs('w', '{}', array[1], '{}', '{}')",
        "select * from fairclaim.extend_leases('w', '{}', array[1], '{}')",
    ] {
        call.refused("p_attempts", LENGTH, sql).await;
    }
}

#[tokio::test]
async fn a_heartbeat_is_refused_beyond_every_limit_and_accepted_at_it() {
    let stage = Stage::new().await;
    let (worker, job) = claimed(&stage).await;
    let ids = format!("array['{}', gen_random_uuid()]::uuid[]", job.id);
    let tokens = format!("array['{}', gen_random_uuid()]::uuid[]", job.token);
    let all = [
        ("p_worker_id", "'w'"),
        ("p_ids", ids.as_str()),
        ("p_attempts", "array[1, 1]"),
        ("p_lease_tokens", tokens.as_str()),
    ];
    let call = Call::new(&stage, &worker, "");
    call.table(EXTENSION, |field| {
        format!("select * from fairclaim.extend_leases({}{field} => …)", others(&all, field))
    })
    .await;
}

const RELEASE: &[Limit] = &[
    WORKER_ID,
    Limit {
        field: "p_lease_tokens",
        rule: "must be a list of 1 to 1,000 tokens without nulls",
        good: &["array[gen_random_uuid()]", "array_fill(gen_random_uuid(), array[1000])"],
        bad: &[
            "null",
            "'{}'",
            "array[null]::uuid[]",
            "array[gen_random_uuid(), null]",
            "array_fill(gen_random_uuid(), array[1001])",
            "array[array[gen_random_uuid()], array[gen_random_uuid()]]",
            FROM_0,
        ],
    },
];

#[tokio::test]
async fn a_release_of_claims_is_refused_beyond_every_limit_and_accepted_at_it() {
    let stage = Stage::new().await;
    let (worker, _job) = claimed(&stage).await;
    let all = [("p_worker_id", "'w'"), ("p_lease_tokens", "array[gen_random_uuid()]")];
    let call = Call::new(&stage, &worker, "");
    call.table(RELEASE, |field| {
        format!("select fairclaim.release_claims({}{field} => …)", others(&all, field))
    })
    .await;
}

/// A batch of the largest size, of jobs that nobody holds.
#[tokio::test]
async fn ten_thousand_settlements_are_one_batch() {
    let stage = Stage::new().await;
    let worker = stage.db.worker().await;
    for n in [9_999, 10_000] {
        let lists = format!(
            "array_fill(gen_random_uuid(), array[{n}]), array_fill(1, array[{n}]), array_fill(gen_random_uuid(), array[{n}])"
        );
        for sql in [
            format!(
                "select kind = 'settled' from fairclaim.settle_jobs('w', {lists}, array_fill('complete'::text, array[{n}]))"
            ),
            format!("select accepted from fairclaim.extend_leases('w', {lists})"),
        ] {
            let before = stage.contents().await;
            let rows = worker.query(&sql, &[]).await.expect("the largest batch");
            assert_eq!(rows.len(), n);
            assert!(rows.iter().all(|row| !row.get::<_, bool>(0)), "none is held");
            stage.untouched(&before, &sql).await;
        }
    }
}

/// A long error of an attempt is cut, never refused: it is not the caller's fault.
#[tokio::test]
async fn a_long_error_is_cut_to_16_kib() {
    let db = TestDb::new().await;
    let (producer, worker, owner) = (db.producer().await, db.worker().await, db.owner().await);
    for (error, cut) in [
        ("jsonb_build_object('message', repeat('m', 16384 - 15))", false),
        ("jsonb_build_object('message', repeat('m', 16385 - 15))", true),
        (
            "jsonb_build_object('code', repeat('c', 5000), 'message', repeat('m', 50000), 'trace', repeat('t', 500000))",
            true,
        ),
        (
            "jsonb_build_object('code', repeat(chr(1), 5000), 'message', repeat(chr(1), 50000), 'trace', repeat(chr(1), 50000))",
            true,
        ),
        (
            "jsonb_build_object('code', 'x', 'message', repeat('🦀', 50000), 'trace', repeat('🦀', 50000))",
            true,
        ),
        ("jsonb_build_object('message', (repeat('[', 129) || repeat(']', 129))::jsonb)", true),
        ("jsonb_build_object('message', 7, 'trace', jsonb_build_array(1e300, 1e300))", false),
        ("to_jsonb(repeat('no object', 5000))", false),
        ("'[1, 2]'", false),
        ("'null'", false),
    ] {
        dispatch(&producer, tenant(1), "mail").await;
        let job = claim_job(&worker, "w").await.expect("a job");
        let sql = format!(
            "select kind = 'settled' from fairclaim.settle_jobs('w', array[$1::uuid], array[1], array[$2::uuid], array['fail'], null, array[({error})::jsonb::text])"
        );
        let row = worker.query_one(&sql, &[&job.id, &job.token]).await.expect("settle_jobs");
        assert!(row.get::<_, bool>(0), "{error}");
        let sql = "select octet_length(f.error::text), f.error = e.error, jsonb_typeof(f.error), f.error ? 'cut' from fairclaim_internal.finished f
                     join fairclaim_internal.attempt_error e using (id) where id = $1";
        let row = owner.query_one(sql, &[&job.id]).await.expect("the final fact");
        assert!(row.get::<_, i32>(0) <= 16_384, "{} bytes of {error}", row.get::<_, i32>(0));
        assert!(row.get::<_, bool>(1), "the history says the same");
        assert_eq!((row.get(2), row.get(3)), ("object", cut), "{error}");
    }
}
