//! Reports as a client of any language sends them.

use serde_json::{Value, json};

use crate::{
    calls::{dispatch_many, dispatch_object, refused, tenant, tick},
    support::{Client, TestDb},
};

/// A report of one worker that serves two queues.
async fn report(worker: &Client, id: &str, silent_for: f64) -> (f64, Vec<String>) {
    let sql = "select report_in, by_seconds from fairclaim.report_work($1, 'host', '1.0', '{mail,bill}', '{5,3}',
                 '{send}', $2)";
    let row = worker.query_one(sql, &[&id, &silent_for]).await.expect("report_work");
    (row.get(0), row.get(1))
}

async fn slots(owner: &Client, queue: &str) -> i32 {
    let sql = "select fairclaim_internal.slots_of($1)";
    owner.query_one(sql, &[&queue]).await.expect("slots_of").get(0)
}

async fn is_handled(owner: &Client, queue: &str, job_type: &str) -> bool {
    let sql = "select fairclaim_internal.is_handled($1, $2)";
    owner.query_one(sql, &[&queue, &job_type]).await.expect("is_handled").get(0)
}

#[tokio::test]
async fn slots_are_those_of_the_workers_that_live() {
    let db = TestDb::with_test_clock().await;
    let (worker, owner) = (db.worker().await, db.owner().await);
    assert_eq!(slots(&owner, "mail").await, 0);
    assert_eq!(report(&worker, "one", 20.0).await, (5.0, vec![]));
    report(&worker, "two", 60.0).await;
    assert_eq!(slots(&owner, "mail").await, 10);
    assert_eq!(slots(&owner, "bill").await, 6);
    assert_eq!(slots(&owner, "other").await, 0);
    db.advance("30 s").await;
    assert_eq!(slots(&owner, "mail").await, 5, "the first one has died");
    assert!(is_handled(&owner, "mail", "send").await);
    assert!(
        !is_handled(&owner, "mail", "other").await && !is_handled(&owner, "other", "send").await
    );
    report(&worker, "two", 0.0).await;
    assert_eq!(slots(&owner, "mail").await, 0, "and the second one has ended");
    assert!(!is_handled(&owner, "mail", "send").await);
    let every_type =
        "select report_in from fairclaim.report_work('three', 'host', '1.0', '{mail}', '{1}')";
    worker.query_one(every_type, &[]).await.expect("report_work");
    assert!(is_handled(&owner, "mail", "other").await);
}

#[tokio::test]
async fn a_list_of_workers_tells_the_dead_ones_for_an_hour() {
    let db = TestDb::with_test_clock().await;
    let (worker, operator) = (db.worker().await, db.plain_operator().await);
    dispatch_object(
        &db.producer().await,
        json!({"tenant_id": tenant(1), "queue": "mail", "type": "send"}),
    )
    .await;
    report(&worker, "one", 20.0).await;
    let claim = "select id from fairclaim.claim_jobs('one', '{mail}', 10, p_lease => 86400)";
    assert_eq!(worker.query(claim, &[]).await.expect("claim_jobs").len(), 1);
    let list = async || {
        let sql = "select id, host, version, queues, slots, types, running, is_live,
                          seen_at between started_at and silent_until from fairclaim.list_workers()";
        operator.query(sql, &[]).await.expect("list_workers")
    };
    let rows = list().await;
    let row = &rows[0];
    assert_eq!((rows.len(), row.get::<_, &str>(0), row.get::<_, &str>(1)), (1, "one", "host"));
    assert_eq!(row.get::<_, &str>(2), "1.0");
    assert_eq!(row.get::<_, Vec<&str>>(3), ["mail", "bill"]);
    assert_eq!(row.get::<_, Vec<i32>>(4), [5, 3]);
    assert_eq!(row.get::<_, Vec<&str>>(5), ["send"]);
    assert_eq!(row.get::<_, i32>(6), 1);
    assert!(row.get::<_, bool>(7) && row.get::<_, bool>(8));
    db.advance("30 min").await;
    tick(&worker).await;
    let rows = list().await;
    assert!(rows.len() == 1 && !rows[0].get::<_, bool>(7));
    db.advance("40 min").await;
    tick(&worker).await;
    assert_eq!(list().await.len(), 0);
}

#[tokio::test]
async fn only_workers_report_and_only_operators_and_observers_list() {
    let db = TestDb::new().await;
    let reports =
        "select report_in from fairclaim.report_work('w', 'host', '1.0', '{mail}', '{1}')";
    let lists = "select * from fairclaim.list_workers()";
    for session in [db.producer().await, db.tenant().await, db.auditor().await, db.stranger().await]
    {
        refused(session.query(reports, &[]).await, "42501");
        refused(session.query(lists, &[]).await, "42501");
    }
    refused(db.plain_operator().await.query(reports, &[]).await, "42501");
    refused(db.worker().await.query(lists, &[]).await, "42501");
    refused(
        db.worker().await.query("select fairclaim_internal.slots_of('mail')", &[]).await,
        "42501",
    );
}

#[tokio::test]
async fn a_bad_report_is_refused_with_its_field_and_writes_nothing() {
    let db = TestDb::new().await;
    let worker = db.worker().await;
    let good = "p_worker_id => 'w', p_host => 'h', p_version => '1', p_queues => '{a,b}', p_slots => '{1,2}'";
    let one = "p_tenants => array[gen_random_uuid()], p_tenant_queues => '{a}', p_jobs => '{1}', p_seconds => '{1}'";
    let cases = [
        (good.replace("'w'", "e'w\\n'"), "worker_id"),
        (good.replace("'h'", "''"), "host"),
        (good.replace("'h'", "null"), "host"),
        (good.replace("'1'", "repeat('1', 65)"), "version"),
        (good.replace("'{a,b}'", "null"), "queues"),
        (good.replace("{a,b}", "{a,B}"), "queues"),
        (good.replace("{1,2}", "{1}"), "slots"),
        (good.replace("{1,2}", "{1,-1}"), "slots"),
        (good.replace("{1,2}", "{1,null}"), "slots"),
        (good.replace("'{1,2}'", "null"), "slots"),
        (format!("{good}, p_types => '{{}}'"), "types"),
        (format!("{good}, p_silent_for => -1"), "silent_for"),
        (format!("{good}, p_silent_for => 'NaN'"), "silent_for"),
        (format!("{good}, p_silent_for => null"), "silent_for"),
        (format!("{good}, {}", one.replace("'{a}'", "'{a,b}'")), "tenant_queues"),
        (format!("{good}, {}", one.replace("p_jobs => '{1}'", "p_jobs => null")), "jobs"),
        (
            format!("{good}, {}", one.replace("p_seconds => '{1}'", "p_seconds => '{1,2}'")),
            "seconds",
        ),
        (
            format!("{good}, {}", one.replace("p_seconds => '{1}'", "p_seconds => '{-1}'")),
            "seconds",
        ),
        (
            format!("{good}, {}", one.replace("p_seconds => '{1}'", "p_seconds => '{NaN}'")),
            "seconds",
        ),
        (format!("{good}, {}", one.replace("p_jobs => '{1}'", "p_jobs => '{-1}'")), "seconds"),
        (format!("{good}, p_tenants => '{{null}}'"), "tenants"),
    ];
    for (arguments, field) in cases {
        let sql = format!("select report_in from fairclaim.report_work({arguments})");
        let error = refused(worker.query(&sql, &[]).await, "JQ004");
        let detail: Value = serde_json::from_str(error.detail().expect("a detail")).expect("JSON");
        assert_eq!(detail["field"], json!(field), "{arguments}");
    }
    let count = "select (select count(*) from fairclaim_internal.worker)
                      + (select count(*) from fairclaim_internal.time_report)";
    assert_eq!(db.owner().await.query_one(count, &[]).await.expect("count").get::<_, i64>(0), 0);
    let sql = format!("select report_in from fairclaim.report_work({good}, {one})");
    worker.query_one(&sql, &[]).await.expect("without the faults it is good");
}

#[tokio::test]
async fn figures_are_kept_of_backlogged_tenants_in_queues_that_are_fair_by_seconds_only() {
    let db = TestDb::new().await;
    let (producer, worker) = (db.producer().await, db.worker().await);
    for queue in ["mail", "bill"] {
        dispatch_many(&producer, tenant(1), queue, "send", 20).await;
        dispatch_many(&producer, tenant(2), queue, "send", 2).await;
    }
    let set = "select fair_by from fairclaim.set_queue_fair_by('mail', 'seconds')";
    db.operator().await.query_one(set, &[]).await.expect("set_queue_fair_by");
    let sql = "select by_seconds from fairclaim.report_work('w', 'host', '1.0', '{mail,bill}', '{5,3}', null, 20,
                 array[$1, $2, $1, $2]::uuid[], '{mail,mail,bill,bill}', '{1,2,3,4}', '{1,2,3,4}')";
    let row = worker.query_one(sql, &[&tenant(1), &tenant(2)]).await.expect("report_work");
    assert_eq!(row.get::<_, Vec<String>>(0), ["mail"]);
    let kept = "select queue, tenant_id, jobs, seconds from fairclaim_internal.time_report";
    let rows = db.owner().await.query(kept, &[]).await.expect("time_report");
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].get::<_, &str>(0), "mail");
    assert_eq!(rows[0].get::<_, uuid::Uuid>(1), tenant(1));
    assert_eq!((rows[0].get::<_, i32>(2), rows[0].get::<_, f64>(3)), (1, 1.0));
}

#[tokio::test]
async fn a_worker_that_is_locked_holds_up_no_tick_and_no_other_worker() {
    let db = TestDb::with_test_clock().await;
    let (worker, mut owner) = (db.worker().await, db.owner().await);
    report(&worker, "one", 1.0).await;
    report(&worker, "two", 1.0).await;
    db.advance("2 hours").await;
    let open = owner.transaction().await.expect("begin");
    open.execute("select from fairclaim_internal.worker where id = 'one' for update", &[])
        .await
        .expect("lock");
    let row = tick(&worker).await;
    assert_eq!(row.get::<_, Vec<String>>("failed"), Vec::<String>::new());
    report(&worker, "three", 20.0).await;
    open.rollback().await.expect("rollback");
    let ids = "select array_agg(id order by id) from fairclaim.list_workers()";
    let ids: Vec<String> = db.operator().await.query_one(ids, &[]).await.expect("list").get(0);
    assert_eq!(ids, ["one", "three"]);
}

#[tokio::test]
async fn why_idle_tells_whether_some_other_worker_handles_a_type() {
    let db = TestDb::new().await;
    let worker = db.worker().await;
    for job_type in ["send", "other"] {
        let job = json!({"tenant_id": tenant(1), "queue": "mail", "type": job_type});
        dispatch_object(&db.producer().await, job).await;
    }
    report(&worker, "one", 20.0).await;
    let sql =
        "select type, handled_elsewhere from fairclaim.why_idle('{mail}', '{mine}') order by type";
    let rows = worker.query(sql, &[]).await.expect("why_idle");
    let told: Vec<(String, Option<bool>)> =
        rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(told, [("other".to_owned(), Some(false)), ("send".to_owned(), Some(true))]);
}
