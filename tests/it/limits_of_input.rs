//! Bad input is refused with its code, the name of the field and, in a batch, the index; nothing is written, and no
//! value of the caller's is repeated. The limits themselves are accepted.

#![expect(clippy::too_many_lines, reason = "tables of cases, one line a case")]

mod dispatch;
mod worker;

use tokio_postgres::error::DbError;

use crate::{
    calls::{dispatch, refused, tenant},
    support::{Client, TestDb},
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
    let ages: &[&str] = &["'-1 s'", "'-1 day'", "'51 years'"];
    let table: [(&str, &[&str]); 5] = [
        ("p_limit", &["null", "0", "1001"]),
        ("p_status", &["'MARK'", "''", "'Pending'"]),
        ("p_older_than", ages),
        ("p_newer_than", ages),
        ("p_error", &["''", "repeat('e', 256)"]),
    ];
    let up_to: &[&str] = &["null", "0", "100001", "2147483647"];
    for function in ["count_jobs", "list_queues"] {
        let call = format!("select * from fairclaim.{function}(p_up_to => ...)");
        all_refused(&db, &operator, &call, &[("p_up_to", up_to)]).await;
    }
    for function in ["pause_queue", "resume_queue"] {
        let call = format!("select * from fairclaim.{function}(...)");
        let bad: &[&str] = &["null", "''", "'Mail'", "'a b'", "repeat('q', 65)"];
        all_refused(&db, &operator, &call, &[("p_queue", bad)]).await;
    }
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
