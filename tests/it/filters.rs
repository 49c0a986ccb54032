//! The filters of lists and counts: ages, errors, and pages that leave nothing out.

use crate::support::Client;
use serde_json::json;
use uuid::Uuid;

use crate::{
    calls::{
        claim_job, claim_jobs, dispatch, dispatch_batch, dispatch_object, refused, settle,
        settle_after, tenant,
    },
    support::TestDb,
};

/// No job.
const NONE: [Uuid; 0] = [];

/// The ids that `list_jobs` gives, and what `count_jobs` says of the same filter.
async fn found(session: &Client, filter: &str) -> Vec<Uuid> {
    let comma = if filter.is_empty() { "" } else { ", " };
    let list = format!("select id from fairclaim.list_jobs({filter}{comma}p_limit => 1000)");
    let rows = session.query(&list, &[]).await.unwrap_or_else(|error| panic!("{list}: {error}"));
    let count = format!("select jobs, more from fairclaim.count_jobs({filter})");
    let counted = session.query_one(&count, &[]).await.expect("count_jobs");
    let expected = (i32::try_from(rows.len()).expect("a few"), false);
    assert_eq!((counted.get::<_, i32>(0), counted.get::<_, bool>(1)), expected, "{filter}");
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn ages_are_those_of_the_dispatch() {
    let db = TestDb::with_test_clock().await;
    let (producer, operator) = (db.producer().await, db.operator().await);
    let old = dispatch(&producer, tenant(1), "mail").await;
    db.advance("2 hours").await;
    let young = dispatch(&producer, tenant(1), "mail").await;
    for scope in [
        String::new(),
        ", p_status => 'pending'".to_owned(),
        format!(", p_tenant_id => '{}'", tenant(1)),
        format!(", p_tenant_id => '{}', p_status => 'pending', p_queue => 'default'", tenant(1)),
    ] {
        let of = async |ages: &str| found(&operator, &format!("{ages}{scope}")).await;
        assert_eq!(of("p_older_than => 3600").await, [old], "{scope}");
        assert_eq!(of("p_newer_than => 3600").await, [young], "{scope}");
        assert_eq!(
            of("p_older_than => 0, p_newer_than => 1577836800").await,
            [young, old],
            "{scope}"
        );
        assert_eq!(of("p_older_than => 3600, p_newer_than => 5400").await, NONE, "{scope}");
        assert_eq!(of("p_older_than => 10800").await, NONE, "{scope}");
    }
}

/// An id made beyond the last range is older than its job; whoever cancels what is old must not meet it.
#[tokio::test]
async fn a_job_is_not_older_than_its_dispatch_though_its_id_is() {
    let db = TestDb::with_test_clock().await;
    let (producer, operator) = (db.producer().await, db.operator().await);
    db.advance("40 days").await;
    let young = dispatch(&producer, tenant(1), "mail").await;
    let scope = format!("p_tenant_id => '{}', p_status => null, ", tenant(1));
    for scope in ["", scope.as_str()] {
        assert_eq!(found(&operator, &format!("{scope}p_older_than => 86400")).await, NONE);
        assert_eq!(found(&operator, &format!("{scope}p_older_than => 0")).await, [young]);
    }
}

#[tokio::test]
async fn an_auditor_finds_jobs_by_the_last_error_of_those_that_did_not_complete() {
    let db = TestDb::new().await;
    let (producer, worker) = (db.producer().await, db.worker().await);
    let [failed, retrying, completed, other] = [
        dispatch(&producer, tenant(1), "failed").await,
        dispatch(&producer, tenant(1), "retrying").await,
        dispatch(&producer, tenant(2), "completed").await,
        dispatch(&producer, tenant(2), "other").await,
    ];
    for job in claim_jobs(&worker, 10, &mut None).await {
        match job.job_type.as_str() {
            "failed" => settle(&worker, &job, "fail").await,
            "retrying" => settle_after(&worker, &job, "retry", Some(600.0)).await,
            "completed" => settle_after(&worker, &job, "retry", Some(0.0)).await,
            _ => settle(&worker, &job, "cancel").await,
        };
    }
    let again = claim_job(&worker, "worker").await.expect("the retried one");
    assert_eq!(again.id, completed);
    let running = vec![completed, retrying, failed];
    let auditor = db.auditor().await;
    // a code, a message, a part of each, in capitals; what was cancelled carries the error of its settlement
    for text in ["boom", "it failed", "OOM", "T FAIL"] {
        let mut all = found(&auditor, &format!("p_error => '{text}'")).await;
        all.retain(|&id| id != other);
        assert_eq!(all, running, "{text}");
    }
    assert_eq!(settle(&worker, &again, "complete").await.status.as_deref(), Some("completed"));
    let cases = [
        ("p_status => 'failed'".to_owned(), vec![failed]),
        ("p_status => 'scheduled'".to_owned(), vec![retrying]),
        ("p_status => 'completed'".to_owned(), vec![]),
        (format!("p_tenant_id => '{}', p_status => 'failed'", tenant(1)), vec![failed]),
        (format!("p_tenant_id => '{}'", tenant(1)), vec![retrying, failed]),
        (format!("p_tenant_id => '{}', p_status => 'completed'", tenant(2)), vec![]),
    ];
    for (scope, expected) in cases {
        assert_eq!(
            found(&auditor, &format!("p_error => 'boom', {scope}")).await,
            expected,
            "{scope}"
        );
        assert_eq!(found(&auditor, &format!("p_error => 'bo_m', {scope}")).await, NONE, "{scope}");
    }
}

#[tokio::test]
async fn a_list_says_why_a_job_failed_how_many_attempts_are_left_and_whether_there_is_more() {
    let db = TestDb::new().await;
    let (producer, worker) = (db.producer().await, db.worker().await);
    for job_type in ["failed", "retrying", "snoozing", "completed"] {
        dispatch(&producer, tenant(1), job_type).await;
    }
    for job in claim_jobs(&worker, 10, &mut None).await {
        match job.job_type.as_str() {
            "failed" => settle(&worker, &job, "fail").await,
            "retrying" => settle_after(&worker, &job, "retry", Some(600.0)).await,
            "snoozing" => settle_after(&worker, &job, "snooze", Some(600.0)).await,
            _ => settle(&worker, &job, "complete").await,
        };
    }
    dispatch(&producer, tenant(1), "waiting").await;
    let (auditor, plain) = (db.auditor().await, db.plain_operator().await);
    let expected = [
        ("waiting", Some(25), None),
        ("completed", None, None),
        ("snoozing", Some(25), None),
        ("retrying", Some(24), Some("boom")),
        ("failed", None, Some("boom")),
    ];
    for (session, message) in [(&auditor, Some("it failed")), (&plain, None)] {
        let sql = "select type, attempts_left, error_code, error_message, more from fairclaim.list_jobs(p_limit => $1)";
        for (limit, more) in [(5, false), (4, true)] {
            let rows = session.query(sql, &[&limit]).await.expect("list_jobs");
            assert_eq!(rows.len(), usize::try_from(limit).expect("a few"));
            for row in &rows {
                let job_type: &str = row.get(0);
                let (_, left, code) = expected
                    .into_iter()
                    .find(|(expected, ..)| *expected == job_type)
                    .expect("a job of this test");
                assert_eq!(row.get::<_, Option<i32>>(1), left, "{job_type}");
                // a snooze may carry an error, which is no failure
                let seen = (row.get::<_, Option<&str>>(2), row.get::<_, Option<&str>>(3));
                assert_eq!(seen, (code, code.and(message)), "{job_type}");
                assert_eq!(row.get::<_, bool>(4), more, "{limit}");
            }
        }
    }
}

#[tokio::test]
async fn an_operator_who_may_not_read_errors_may_not_look_for_them_either() {
    let db = TestDb::new().await;
    let plain = db.plain_operator().await;
    for call in ["list_jobs(p_error => 'boom')", "count_jobs(p_error => 'boom')"] {
        let sql = format!("select * from fairclaim.{call}");
        let error = refused(plain.query(&sql, &[]).await, "JQ007");
        assert!(error.message().starts_with("p_error: "), "{}", error.message());
        let hint = error.hint().expect("a hint");
        assert!(hint.contains("grant fairclaim_auditor to test_plain_operator"), "{hint}");
        db.operator().await.query(&sql, &[]).await.expect("an auditor may");
    }
    assert_eq!(found(&plain, "p_status => 'failed'").await, NONE);
}

#[tokio::test]
async fn nobody_but_operators_and_auditors_lists_or_counts() {
    let db = TestDb::new().await;
    for session in [db.producer().await, db.worker().await, db.tenant().await, db.stranger().await]
    {
        for call in [
            "fairclaim.list_jobs()",
            "fairclaim.count_jobs()",
            "fairclaim_internal.matching_jobs(null, null, null, null, null, null, null, null, 1)",
        ] {
            let sql = format!("select * from {call}");
            refused(session.query(&sql, &[]).await, "42501");
        }
    }
}

#[tokio::test]
async fn a_count_stops_at_its_bound_and_says_so() {
    let db = TestDb::new().await;
    let (producer, operator) = (db.producer().await, db.operator().await);
    dispatch_batch(&producer, &vec![json!({"tenant_id": tenant(1), "type": "mail"}); 10]).await;
    for (up_to, expected) in [(9, (9, true)), (10, (10, false)), (100_000, (10, false))] {
        let sql = "select jobs, more from fairclaim.count_jobs(p_up_to => $1)";
        let row = operator.query_one(sql, &[&up_to]).await.expect("count_jobs");
        assert_eq!((row.get::<_, i32>(0), row.get::<_, bool>(1)), expected, "up to {up_to}");
    }
}

/// A job in every state, for three tenants, in two queues.
async fn everything(producer: &Client, worker: &Client) {
    for n in 0..60_u32 {
        let queue = if n % 2 == 0 { "default" } else { "mail" };
        let job = json!({"tenant_id": tenant(u128::from(n % 3)), "type": format!("t{}", n % 4), "queue": queue});
        dispatch_object(producer, job).await;
        if n % 3 != 0 {
            continue;
        }
        let job = claim_job(worker, "worker").await.expect("a job");
        match n % 5 {
            0 => settle(worker, &job, "complete").await,
            1 => settle(worker, &job, "fail").await,
            2 => settle_after(worker, &job, "snooze", Some(600.0)).await,
            3 => settle(worker, &job, "cancel").await,
            _ => continue,
        };
    }
}

#[tokio::test]
async fn pages_of_every_shape_show_each_job_once_while_others_are_dispatched() {
    let db = TestDb::new().await;
    let (producer, worker, operator) =
        (db.producer().await, db.worker().await, db.operator().await);
    everything(&producer, &worker).await;
    let mut shapes = vec![String::new(), "p_queue => 'mail', ".into(), "p_type => 't1', ".into()];
    for status in ["scheduled", "pending", "processing", "completed", "failed", "cancelled"] {
        shapes.push(format!("p_status => '{status}', "));
        shapes.push(format!("p_status => '{status}', p_tenant_id => '{}', ", tenant(1)));
        shapes.push(format!("p_status => '{status}', p_queue => 'mail', p_newer_than => 3600, "));
    }
    shapes.push(format!("p_tenant_id => '{}', p_type => 't2', ", tenant(2)));
    shapes.push("p_error => 'boom', ".into());
    for shape in shapes {
        let whole = found(&operator, shape.trim_end_matches(", ")).await;
        let (mut paged, mut before) = (Vec::new(), None::<Uuid>);
        loop {
            let sql = format!(
                "select id from fairclaim.list_jobs({shape}p_before_id => $1, p_limit => 3)"
            );
            let rows = operator.query(&sql, &[&before]).await.expect("a page");
            paged.extend(rows.iter().map(|row| row.get::<_, Uuid>(0)));
            dispatch_object(
                &producer,
                json!({"tenant_id": tenant(1), "type": "t1", "queue": "mail"}),
            )
            .await;
            match rows.len() {
                3 => before = paged.last().copied(),
                _ => break,
            }
        }
        assert_eq!(paged, whole, "{shape}");
    }
}

/// Two functions of one name would make every call that leaves arguments out ambiguous.
#[tokio::test(flavor = "multi_thread")]
async fn an_update_leaves_one_list_jobs_where_there_was_one_with_fewer_filters() {
    let db = TestDb::new().await;
    db.owner()
        .await
        .batch_execute(
            "create function fairclaim.list_jobs(p_tenant_id uuid default null, p_queue text default null, p_type text default null,
               p_status text default null, p_before_id uuid default null, p_limit int default 100) returns int
             language sql as 'select 1'",
        )
        .await
        .expect("the older one");
    let operator = db.operator().await;
    refused(operator.query("select * from fairclaim.list_jobs()", &[]).await, "42725");
    let installer = db.client("test_installer").await;
    installer.migrate(&fairclaim::MigrateOptions::default()).await.expect("migrate");
    assert_eq!(found(&operator, "").await, NONE);
}
