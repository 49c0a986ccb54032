//! What one tenant, one worker or one open transaction must not be able to do to the others: stop a queue, pass a limit,
//! make a settlement wait, or see names that are not its own.

use std::time::Duration;

use serde_json::json;

use crate::{
    calls::{
        Settled, claim_job, claim_jobs, dispatch, dispatch_many, dispatch_object, refused, settle,
        tenant, tick,
    },
    support::{Client, TestDb},
};

/// Long enough for anything that does not wait for somebody else.
const SOON: Duration = Duration::from_secs(10);

async fn claimed(worker: &Client, queues: &[&str], limit: i32, types: Option<Vec<&str>>) -> usize {
    let sql = "select count(*) from fairclaim.claim_jobs('w', $1, $2, $3)";
    let count: i64 =
        worker.query_one(sql, &[&queues, &limit, &types]).await.expect("claim_jobs").get(0);
    usize::try_from(count).expect("a count")
}

#[tokio::test]
async fn a_cursor_is_accepted_however_long_a_worker_serves_one_tenant() {
    let db = TestDb::new().await;
    let (producer, worker) = (db.producer().await, db.worker().await);
    dispatch_many(&producer, tenant(1), "default", "mail", 400).await;
    let mut cursor = None;
    for _ in 0..8 {
        assert_eq!(claim_jobs(&worker, 40, &mut cursor).await.len(), 40);
    }
    // what is counted in it stays small, so it can never grow out of what is accepted
    let text = cursor.expect("a cursor");
    let numbers: Vec<i64> = text.split('|').skip(2).map(|n| n.parse().expect("a number")).collect();
    assert_eq!(numbers.len(), 2, "{text}");
    assert!(numbers[0] <= 10_000 && numbers[1] <= 3, "{text}");
}

#[tokio::test]
async fn a_limit_holds_over_several_queues_of_one_claim() {
    let db = TestDb::new().await;
    let (producer, worker, owner) = (db.producer().await, db.worker().await, db.owner().await);
    owner
        .execute(
            "insert into fairclaim_internal.running_limit (subject, tenant_id, queue, max_running) values ('tenant', $1, '', 5)",
            &[&tenant(1)],
        )
        .await
        .expect("a limit");
    for _ in 0..4 {
        tick(&worker).await;
    }
    for queue in ["qa", "qb", "qc"] {
        dispatch_many(&producer, tenant(1), queue, "mail", 20).await;
    }
    assert_eq!(claimed(&worker, &["qa", "qb", "qc"], 100, None).await, 5);
}

#[tokio::test]
async fn a_locked_job_of_one_type_hides_no_job_of_another() {
    let db = TestDb::new().await;
    let (mut app, producer, worker) = (db.producer().await, db.producer().await, db.worker().await);
    let old = dispatch(&producer, tenant(1), "first").await;
    for n in 0..40 {
        dispatch(&producer, tenant(100 + n), "second").await;
    }
    let open = app.transaction().await.expect("begin");
    open.query("select * from fairclaim.cancel_jobs($1, array[$2::uuid])", &[&tenant(1), &old])
        .await
        .expect("cancel_jobs");
    let types = || Some(vec!["first", "second"]);
    assert_eq!(claimed(&worker, &["default"], 1, types()).await, 1);
    assert_eq!(claimed(&worker, &["default"], 39, types()).await, 39);
    open.rollback().await.expect("rollback");
    assert_eq!(claimed(&worker, &["default"], 10, types()).await, 1, "the one that was kept");
}

#[tokio::test]
async fn a_tick_that_looks_for_limited_rows_hides_nobody_elses() {
    let db = TestDb::new().await;
    let (producer, worker, owner) = (db.producer().await, db.worker().await, db.owner().await);
    owner
        .execute(
            "insert into fairclaim_internal.running_limit (subject, tenant_id, queue, max_running) values ('tenant', $1, '', 1)",
            &[&tenant(999)],
        )
        .await
        .expect("a limit");
    for n in 0..50 {
        dispatch(&producer, tenant(n), "mail").await;
    }
    let mut ticker = db.worker().await;
    let open = ticker.transaction().await.expect("begin");
    tick(&open).await;
    assert_eq!(claimed(&worker, &["default"], 100, None).await, 50);
    open.rollback().await.expect("rollback");
}

#[tokio::test]
async fn an_open_cancel_makes_no_settlement_and_no_heartbeat_wait() {
    let db = TestDb::new().await;
    let (mut app, producer, worker) = (db.producer().await, db.producer().await, db.worker().await);
    dispatch(&producer, tenant(1), "mail").await;
    dispatch(&producer, tenant(2), "mail").await;
    let jobs = claim_jobs(&worker, 2, &mut None).await;
    let open = app.transaction().await.expect("begin");
    for job in &jobs {
        open.query(
            "select * from fairclaim.cancel_jobs($1, array[$2::uuid])",
            &[&job.tenant, &job.id],
        )
        .await
        .expect("cancel_jobs");
    }
    let beat = "select accepted from fairclaim.extend_leases('worker', array[$1::uuid], array[$2::int], array[$3::uuid])";
    let row = tokio::time::timeout(
        SOON,
        worker.query_one(beat, &[&jobs[0].id, &jobs[0].attempts, &jobs[0].token]),
    )
    .await
    .expect("the heartbeat waits")
    .expect("extend_leases");
    assert!(row.get::<_, bool>(0));
    let settled = tokio::time::timeout(SOON, settle(&worker, &jobs[1], "complete"))
        .await
        .expect("the settlement waits");
    assert_eq!(settled, Settled::as_status("completed"));
    open.commit().await.expect("commit");
    assert_eq!(settle(&worker, &jobs[0], "retry").await, Settled::as_status("cancelled"));
}

#[tokio::test]
async fn a_cancel_beside_an_open_heartbeat_is_not_lost() {
    let db = TestDb::new().await;
    let (producer, worker, mut other) = (db.producer().await, db.worker().await, db.worker().await);
    dispatch(&producer, tenant(1), "mail").await;
    let job = claim_job(&worker, "worker").await.expect("a job");
    let beat = "select cancel_requested from fairclaim.extend_leases('worker', array[$1::uuid], array[$2::int], array[$3::uuid])";
    let open = other.transaction().await.expect("begin");
    open.query_one(beat, &[&job.id, &job.attempts, &job.token]).await.expect("extend_leases");
    let cancel = "select status from fairclaim.cancel_jobs($1, array[$2::uuid])";
    let row = producer.query_one(cancel, &[&job.tenant, &job.id]).await.expect("cancel_jobs");
    assert_eq!(row.get::<_, &str>(0), "processing");
    open.commit().await.expect("commit");
    let row = worker.query_one(beat, &[&job.id, &job.attempts, &job.token]).await.expect("a beat");
    assert!(row.get::<_, bool>(0), "the worker is told");
}

#[tokio::test]
async fn an_old_wish_to_cancel_does_not_hold_for_a_job_that_an_operator_runs_again() {
    let db = TestDb::new().await;
    let (producer, worker) = (db.producer().await, db.worker().await);
    dispatch(&producer, tenant(1), "mail").await;
    let job = claim_job(&worker, "worker").await.expect("a job");
    for function in ["cancel_jobs", "retry_jobs"] {
        let sql = format!("select status from fairclaim.{function}($1, array[$2::uuid])");
        producer.query_one(&sql, &[&job.tenant, &job.id]).await.expect(function);
        if function == "cancel_jobs" {
            assert_eq!(settle(&worker, &job, "complete").await, Settled::as_status("completed"));
        }
    }
    let again = claim_job(&worker, "worker").await.expect("it runs again");
    assert_eq!(settle(&worker, &again, "retry").await, Settled::as_status("scheduled"));
}

#[tokio::test]
async fn a_due_job_that_somebody_has_locked_makes_no_tick_hurry() {
    let db = TestDb::with_test_clock().await;
    let (mut app, producer, worker) = (db.producer().await, db.producer().await, db.worker().await);
    let at = "2999-01-01T00:00:00Z";
    assert!(
        refused(
            producer
                .query(
                    "select fairclaim.dispatch_job($1, 'mail', p_run_at => $2::text::timestamptz)",
                    &[&tenant(1), &at]
                )
                .await,
            "JQ004"
        )
        .message()
        .starts_with("p_run_at")
    );
    let sql =
        "select fairclaim.dispatch_job($1, 'mail', p_run_at => fairclaim.clock() + interval '5 s')";
    let id: uuid::Uuid = producer.query_one(sql, &[&tenant(1)]).await.expect("dispatch").get(0);
    let open = app.transaction().await.expect("begin");
    open.query("select * from fairclaim.cancel_jobs($1, array[$2::uuid])", &[&tenant(1), &id])
        .await
        .expect("cancel_jobs");
    db.advance("6 s").await;
    for _ in 0..2 {
        let row = tick(&worker).await;
        assert_eq!(row.get::<_, i32>("promoted"), 0);
        let sql = "select next_tick_in from fairclaim.tick()";
        let seconds: f64 = worker.query_one(sql, &[]).await.expect("tick").get(0);
        assert!(seconds >= 1.0, "the next tick is wanted in {seconds} s");
    }
    open.rollback().await.expect("rollback");
    assert_eq!(tick(&worker).await.get::<_, i32>("promoted"), 1);
}

#[tokio::test]
async fn a_transaction_that_is_to_be_prepared_can_dispatch() {
    let db = TestDb::new().await;
    let (producer, worker) = (db.producer().await, db.worker().await);
    assert!(claim_job(&worker, "w").await.is_none(), "now somebody is idle");
    producer
        .batch_execute("begin; select set_config('fairclaim.notify', 'off', true)")
        .await
        .expect("begin");
    dispatch(&producer, tenant(1), "mail").await;
    // NOTIFY in the transaction would be the error here, before the server looks at its settings
    let error = producer.batch_execute("prepare transaction 'standing'").await.err();
    if let Some(error) = &error {
        let text = error.as_db_error().expect("of the server").message().to_owned();
        assert!(text.contains("prepared transactions are disabled"), "{text}");
    } else {
        producer.batch_execute("commit prepared 'standing'").await.expect("commit prepared");
    }
}

#[tokio::test]
async fn an_emptied_queue_leaves_a_hint_at_claims_of_one() {
    let db = TestDb::new().await;
    let (producer, worker, owner) = (db.producer().await, db.worker().await, db.owner().await);
    for n in 0..20 {
        dispatch_many(&producer, tenant(n), "default", "mail", 9).await;
    }
    while !claim_jobs(&worker, 100, &mut None).await.is_empty() {}
    owner.batch_execute("delete from fairclaim_internal.floor_hint").await.expect("delete");
    for _ in 0..200 {
        assert!(claim_job(&worker, "w").await.is_none());
    }
    let hints: i64 = owner
        .query_one("select count(*) from fairclaim_internal.floor_hint", &[])
        .await
        .expect("hints")
        .get(0);
    // 200 chances of 0.1: none at all happens once in a billion runs
    assert!(hints > 0, "nobody tells tick that these lanes are dry");
}

/// Sessions of the tenant login, each with the tenant that it says it is.
async fn as_tenant(db: &TestDb, n: u128) -> Client {
    let owner = db.owner().await;
    owner
        .execute(
            "insert into fairclaim_internal.login_tenant values ('test_tenant', 'setting') on conflict do nothing",
            &[],
        )
        .await
        .expect("login_tenant");
    let client = db.tenant().await;
    client
        .execute(
            "select set_config('fairclaim.tenant_id', $1::text, false)",
            &[&tenant(n).to_string()],
        )
        .await
        .expect("set_config");
    client
}

#[tokio::test]
async fn a_tenant_sees_no_name_of_a_queue_or_type_that_is_not_its_own() {
    let db = TestDb::new().await;
    let producer = db.producer().await;
    dispatch_object(&producer, json!({"tenant_id": tenant(1), "queue": "mine", "type": "mine"}))
        .await;
    dispatch_object(&producer, json!({"tenant_id": tenant(2), "queue": "yours", "type": "yours"}))
        .await;
    let session = as_tenant(&db, 1).await;
    for table in ["lane", "ready", "job"] {
        let sql = format!("select * from fairclaim_internal.{table}");
        refused(session.query(&sql, &[]).await, "42501");
    }
    let rows = session
        .query("select queue, status, cancel_requested from fairclaim.job_queue", &[])
        .await
        .expect("jobs");
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].get(0), rows[0].get(1)), ("mine", "pending"));
}

#[tokio::test]
async fn claims_that_are_no_json_are_refused_without_their_text() {
    let db = TestDb::new().await;
    let owner = db.owner().await;
    owner
        .execute(
            "insert into fairclaim_internal.login_tenant values ('test_tenant', 'claims')",
            &[],
        )
        .await
        .expect("login_tenant");
    let session = db.tenant().await;
    let set = "select set_config('request.jwt.claims', $1::text, false)";
    for claims in ["{\"MARK", "[1, \"MARK\"]", "{\"app_metadata\": {\"tenant_id\": \"MARK\"}}"] {
        session.execute(set, &[&claims]).await.expect("set_config");
        let error =
            refused(session.query("select count(*) from fairclaim.job_queue", &[]).await, "JQ002");
        let said = format!("{} {:?} {:?}", error.message(), error.detail(), error.hint());
        assert!(!said.contains("MARK"), "{said}");
    }
    let claims = json!({"app_metadata": {"tenant_id": tenant(1)}}).to_string();
    session.execute(set, &[&claims]).await.expect("set_config");
    session.query("select count(*) from fairclaim.job_queue", &[]).await.expect("a tenant");
}

#[tokio::test]
async fn only_an_operator_chooses_how_much_history_goes() {
    let db = TestDb::new().await;
    let sql = "select * from fairclaim.prune(7200)";
    let error = refused(db.worker().await.query(sql, &[]).await, "JQ007");
    assert!(error.message().starts_with("p_retention: "), "{}", error.message());
    db.operator().await.query(sql, &[]).await.expect("an operator may");
    db.worker().await.query("select * from fairclaim.prune()", &[]).await.expect("a worker may");
}

#[tokio::test]
async fn names_in_a_claim_are_checked_with_their_place() {
    let db = TestDb::new().await;
    let worker = db.worker().await;
    for (field, call) in [
        ("p_queues[1]", "claim_jobs('w', array['ok', 'Bad|Q'], 1)"),
        ("p_queues[0]", "claim_jobs('w', array[''], 1)"),
        ("p_types[1]", "claim_jobs('w', null, 1, array['Fine', 'no such; type'])"),
        ("p_types[0]", "claim_jobs('w', null, 1, array[repeat('x', 65)])"),
    ] {
        let sql = format!("select * from fairclaim.{call}");
        let error = refused(worker.query(&sql, &[]).await, "JQ004");
        assert!(error.message().starts_with(&format!("{field}: ")), "{}", error.message());
    }
}
