//! What producers and operators ask of jobs that are there, and the small functions.

use super::{Call, Limit, others, stage::Stage};
use crate::calls::{dispatch, tenant};

const IDS: Limit = Limit {
    field: "p_ids",
    rule: "must be a list of 1 to 10,000 ids without nulls",
    good: &["array[gen_random_uuid()]", "array_fill(gen_random_uuid(), array[10000])"],
    bad: &[
        "null",
        "'{}'",
        "array[null]::uuid[]",
        "array[gen_random_uuid(), null]",
        "array_fill(gen_random_uuid(), array[10001])",
        "array[array[gen_random_uuid()], array[gen_random_uuid()]]",
    ],
};

const LIST: &[Limit] = &[
    Limit {
        field: "p_limit",
        rule: "must be from 1 to 1,000",
        good: &["1", "2", "999", "1000"],
        bad: &["null", "0", "-1", "1001", "2147483647"],
    },
    Limit {
        field: "p_status",
        rule: "must be scheduled, pending, processing, completed, failed or cancelled",
        good: &[
            "null",
            "'scheduled'",
            "'pending'",
            "'processing'",
            "'completed'",
            "'failed'",
            "'cancelled'",
        ],
        bad: &["'MARK'", "''", "'Pending'", "' pending'", "E'pending\\n'"],
    },
    Limit {
        field: "p_older_than",
        rule: "must be seconds from 0 to 1,577,836,800 (50 years)",
        good: &["null", "0", "1577836800"],
        bad: &["-1", "-86400", "1577836800.1", "'NaN'", "'Infinity'"],
    },
    Limit {
        field: "p_newer_than",
        rule: "must be seconds from 0 to 1,577,836,800 (50 years)",
        good: &["null", "0", "1577836800"],
        bad: &["-1", "-86400", "1577836800.1", "'NaN'", "'Infinity'"],
    },
    Limit {
        field: "p_error",
        rule: "must have 1 to 255 characters",
        good: &["null", "'e'", "repeat('e', 255)"],
        bad: &["''", "repeat('e', 256)"],
    },
];

const UP_TO: Limit = Limit {
    field: "p_up_to",
    rule: "must be from 1 to 100,000",
    good: &["1", "100000"],
    bad: &["null", "0", "-1", "100001", "2147483647"],
};

const WORKER: &[Limit] = &[
    Limit {
        field: "p_worker_id",
        rule: "must have 1 to 255 characters",
        good: &["'w'", "repeat('w', 255)"],
        bad: &["null", "''", "repeat('w', 256)", "'MARK' || repeat('w', 1000000)"],
    },
    Limit {
        field: "p_limit",
        rule: "must be from 1 to 1,000",
        good: &["1", "1000"],
        bad: &["null", "0", "-1", "1001", "2147483647"],
    },
];

const QUEUE: Limit = Limit {
    field: "p_queue",
    rule: "must match",
    good: &[],
    bad: &["null", "''", "'Mail'", "'a b'", "'MARK'", "repeat('q', 65)"],
};

#[tokio::test]
async fn a_cancel_retry_or_release_without_proper_ids_is_refused() {
    let stage = Stage::new().await;
    let (producer, operator) = (stage.db.producer().await, stage.db.operator().await);
    dispatch(&producer, tenant(1), "mail").await;
    for (session, scope) in [(&producer, "gen_random_uuid()"), (&operator, "null")] {
        let call = Call::new(&stage, session, "");
        for function in ["cancel_jobs", "retry_jobs"] {
            call.table(&[IDS], |_| format!("select * from fairclaim.{function}({scope}, …)")).await;
        }
    }
    let call = Call::new(&stage, &operator, "");
    call.table(&[IDS], |_| "select * from fairclaim.release_jobs(null, …)".to_owned()).await;
    call.table(WORKER, |field| {
        format!(
            "select * from fairclaim.release_worker({}{field} => …)",
            others(&[("p_worker_id", "'w'")], field)
        )
    })
    .await;
    let call = Call {
        code: "JQ002",
        ..Call::new(
            &stage,
            &producer,
            "only an operator may leave it out: grant fairclaim_operator to test_producer",
        )
    };
    for function in ["cancel_jobs", "retry_jobs"] {
        let sql = format!("select * from fairclaim.{function}(null, array[gen_random_uuid()])");
        call.refused("p_tenant_id", "is missing", &sql).await;
    }
}

#[tokio::test]
async fn a_list_is_refused_beyond_its_limits() {
    let stage = Stage::new().await;
    dispatch(&stage.db.producer().await, tenant(1), "mail").await;
    let operator = stage.db.operator().await;
    let call = Call::new(&stage, &operator, "");
    call.table(LIST, |field| {
        format!("select * from fairclaim.list_jobs({}{field} => …)", others(&[], field))
    })
    .await;
    for function in ["count_jobs", "list_queues"] {
        call.table(&[UP_TO], |_| format!("select * from fairclaim.{function}(p_up_to => …)")).await;
    }
    for function in ["pause_queue", "resume_queue"] {
        call.table(&[QUEUE], |_| format!("select * from fairclaim.{function}(…)")).await;
    }
    // a name that no queue or type can have finds nothing
    for sql in [
        "select * from fairclaim.list_jobs(p_queue => 'MARK; drop table fairclaim_internal.job')",
        "select * from fairclaim.list_jobs(p_type => E'MARK\\u001b[31m')",
        "select * from fairclaim.show_job(gen_random_uuid())",
        "select * from fairclaim.show_job(null)",
    ] {
        assert!(operator.query(sql, &[]).await.expect(sql).is_empty(), "{sql}");
    }
}

#[tokio::test]
async fn a_retention_or_a_name_beyond_its_limits_is_refused() {
    let stage = Stage::new().await;
    let (producer, worker, operator) =
        (stage.db.producer().await, stage.db.worker().await, stage.db.operator().await);
    let retention = [Limit {
        field: "p_retention",
        rule: "must be seconds from 3,600 (1 hour) to 3,155,760,000 (100 years)",
        good: &["3600", "3600.5", "3155760000", "null"],
        bad: &["0", "-86400", "3599.999", "3155760001", "'NaN'", "'infinity'"],
    }];
    let call = Call::new(&stage, &operator, "");
    for function in ["prune", "drop_ranges"] {
        call.table(&retention, |_| format!("select * from fairclaim.{function}(…)")).await;
    }
    let call = Call {
        code: "JQ007",
        ..Call::new(
            &stage,
            &worker,
            "leave it out, or as an administrator: grant fairclaim_operator to test_worker",
        )
    };
    call.refused(
        "p_retention",
        "may be chosen by an operator only",
        "select * from fairclaim.prune(7200)",
    )
    .await;

    let name = [Limit {
        field: "p_name",
        rule: "must be 1 to 255 bytes",
        good: &["'a'", "repeat('n', 255)", "repeat('ü', 127)", "E'\\u001b'"],
        bad: &[
            "null",
            "''",
            "repeat('n', 256)",
            "repeat('ü', 128)",
            "'MARK' || repeat('n', 1000000)",
        ],
    }];
    let call = Call::new(&stage, &producer, "pass the name or the number");
    call.table(&name, |_| "select fairclaim.tenant_uuid(…)".to_owned()).await;
}

/// A session's tenant is never taken from a text that is none.
#[tokio::test]
async fn a_session_whose_tenant_is_no_uuid_has_none() {
    let stage = Stage::new().await;
    dispatch(&stage.db.producer().await, tenant(1), "mail").await;
    let trust =
        "insert into fairclaim_internal.login_tenant values ('test_tenant', 'setting', null)";
    stage.db.owner().await.batch_execute(trust).await.expect("a trusted login");
    let customer = stage.db.tenant().await;
    let call = Call { code: "JQ002", ..Call::new(&stage, &customer, "set it for the transaction") };
    for bad in [
        "",
        "MARK",
        "7e4a0000-0000-4000-8000-00000000000",
        "7e4a0000-0000-4000-8000-0000000000011",
        "{7e4a0000-0000-4000-8000-000000000001}",
        "7e4a0000_0000_4000_8000_000000000001",
        "7e4a0000-0000-4000-8000-00000000000g",
        "00000000-0000-0000-0000-000000000000' or true",
    ] {
        let bad = bad.replace("MARK", super::MARK);
        customer
            .execute("select set_config('fairclaim.tenant_id', $1, false)", &[&bad])
            .await
            .expect("set_config");
        for view in ["job_queue", "job_overview"] {
            call.refused(
                "tenant",
                "this session has no tenant",
                &format!("select * from fairclaim.{view}"),
            )
            .await;
        }
    }
    let own = tenant(1).to_string();
    customer
        .execute("select set_config('fairclaim.tenant_id', $1, false)", &[&own])
        .await
        .expect("set_config");
    let rows = customer.query("select * from fairclaim.job_overview", &[]).await.expect("its own");
    assert_eq!(rows.len(), 1);
}
