//! A tenant or a queue that takes no new jobs, and finishes the rest.

use serde_json::{Value, json};

use super::Stage;
use crate::calls::{claim_jobs, dispatch, dispatch_many, refused, settle_all, tenant};

#[tokio::test]
async fn a_drained_tenant_takes_no_new_jobs_and_finishes_the_rest() {
    let stage = Stage::set().await;
    let operator = stage.db.plain_operator().await;
    dispatch_many(&stage.producer, tenant(1), "default", "mail", 5).await;
    let drain =
        "select was_drained, drained_at is not null from fairclaim.drain_tenant($1, 'it leaves')";
    let row = operator.query_one(drain, &[&tenant(1)]).await.expect("drain_tenant");
    assert_eq!((row.get::<_, bool>(0), row.get::<_, bool>(1)), (false, true));
    let row = operator.query_one(drain, &[&tenant(1)]).await.expect("drain_tenant");
    assert!(row.get::<_, bool>(0), "it was drained already");

    let sql = "select fairclaim.dispatch_job($1, 'mail')";
    let error = refused(stage.producer.query(sql, &[&tenant(1)]).await, "JQ003");
    assert_eq!(error.message(), "tenant: is being drained and takes no new jobs");
    let detail: Value = serde_json::from_str(error.detail().expect("DETAIL")).expect("JSON");
    assert_eq!(detail, json!({"field": "tenant", "limit": 0, "quota": "drain"}));
    let batch =
        json!([{"tenant_id": tenant(2), "type": "a"}, {"tenant_id": tenant(1), "type": "a"}]);
    let many = "select count(*) from fairclaim.dispatch_jobs($1)";
    let error = refused(stage.producer.query(many, &[&batch]).await, "JQ003");
    assert!(error.message().starts_with("p_jobs[1].tenant: "), "{}", error.message());
    dispatch(&stage.producer, tenant(2), "mail").await;

    let jobs = claim_jobs(&stage.worker, 10, &mut None).await;
    assert_eq!(jobs.len(), 6);
    settle_all(&stage.worker, &jobs, "retry").await;
    stage.round().await;
    let jobs = claim_jobs(&stage.worker, 10, &mut None).await;
    settle_all(&stage.worker, &jobs, "complete").await;
    assert_eq!((jobs.len(), stage.waiting(tenant(1)).await), (6, 0));

    let end = "select was_drained from fairclaim.undrain_tenant($1)";
    for was in [true, false] {
        let row = operator.query_one(end, &[&tenant(1)]).await.expect("undrain_tenant");
        assert_eq!(row.get::<_, bool>(0), was);
    }
    dispatch(&stage.producer, tenant(1), "mail").await;
    let sql = "select what, who, why from fairclaim_internal.audit order by audit_id";
    let rows = stage.owner.query(sql, &[]).await.expect("audit");
    let rows: Vec<(String, String, Option<String>)> =
        rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
    let who = "test_plain_operator".to_owned();
    assert_eq!(
        rows,
        [
            ("drain_tenant".to_owned(), who.clone(), Some("it leaves".to_owned())),
            ("undrain_tenant".to_owned(), who, None),
        ]
    );
}

#[tokio::test]
async fn a_drained_queue_takes_no_new_jobs_of_anybody() {
    let stage = Stage::set().await;
    let operator = stage.db.plain_operator().await;
    dispatch_many(&stage.producer, tenant(1), "mail", "mail", 1).await;
    let row = operator.query_one("select * from fairclaim.drain_queue('mail')", &[]).await;
    let row = row.expect("drain_queue");
    assert_eq!((row.get::<_, &str>("queue"), row.get::<_, bool>("in_use")), ("mail", true));
    let into = "select fairclaim.dispatch_job($1, 'mail', p_queue => $2)";
    for n in [1, 2] {
        let error = refused(stage.producer.query(into, &[&tenant(n), &"mail"]).await, "JQ003");
        assert_eq!(error.message(), "queue: is being drained and takes no new jobs");
        stage.producer.query(into, &[&tenant(n), &"other"]).await.expect("another queue");
    }
    assert_eq!(claim_jobs(&stage.worker, 10, &mut None).await.len(), 3);
    let end = "select was_drained from fairclaim.undrain_queue('mail')";
    assert!(operator.query_one(end, &[]).await.expect("undrain_queue").get::<_, bool>(0));
    stage.producer.query(into, &[&tenant(1), &"mail"]).await.expect("it takes jobs again");
}

#[tokio::test]
async fn only_operators_drain_and_bad_names_are_refused() {
    let stage = Stage::set().await;
    for sql in [
        "select fairclaim.drain_tenant(gen_random_uuid())",
        "select fairclaim.undrain_tenant(gen_random_uuid())",
        "select fairclaim.drain_queue('mail')",
        "select fairclaim.undrain_queue('mail')",
    ] {
        refused(stage.producer.query(sql, &[]).await, "42501");
    }
    let operator = stage.db.plain_operator().await;
    refused(operator.query("select fairclaim.drain_tenant(null)", &[]).await, "JQ002");
    refused(operator.query("select fairclaim.undrain_queue('No Name')", &[]).await, "JQ004");
    let long = "select fairclaim.drain_queue('mail', repeat('w', 1001))";
    refused(operator.query(long, &[]).await, "JQ004");
    let sql = "select (select count(*) from fairclaim_internal.waiting_limit) + (select count(*) from fairclaim_internal.audit)";
    assert_eq!(stage.owner.query_one(sql, &[]).await.expect("rows").get::<_, i64>(0), 0);
}
