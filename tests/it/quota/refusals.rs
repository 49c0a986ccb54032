//! Who is refused, what the refusal says, and that nothing is written.

use serde_json::{Value, json};

use super::Stage;
use crate::calls::{claim_jobs, dispatch, dispatch_many, refused, settle, tenant};

const DISPATCH: &str = "select fairclaim.dispatch_job($1, 'mail', p_queue => $2)";

/// The DETAIL of a refusal.
fn detail(error: &tokio_postgres::error::DbError) -> Value {
    serde_json::from_str(error.detail().expect("a DETAIL")).expect("JSON")
}

#[tokio::test]
async fn a_tenant_at_its_quota_is_refused_and_goes_on_when_a_job_was_claimed() {
    let stage = Stage::set().await;
    stage.quota(Some(tenant(1)), "", 20, true).await;
    for _ in 0..20 {
        dispatch(&stage.producer, tenant(1), "mail").await;
    }
    let error = refused(stage.producer.query(DISPATCH, &[&tenant(1), &"bulk"]).await, "JQ003");
    assert_eq!(error.message(), "tenant: may have 20 jobs waiting (its own quota)");
    assert_eq!(detail(&error), json!({"field": "tenant", "limit": 20, "quota": "tenant"}));
    assert!(error.hint().expect("a hint").contains("fairclaim tenants quota"));
    assert_eq!(stage.jobs(tenant(1)).await, 20, "something was written");
    dispatch(&stage.producer, tenant(2), "mail").await;
    assert_eq!(claim_jobs(&stage.worker, 3, &mut None).await.len(), 3);
    let sql = "select count(*) from fairclaim_internal.running where tenant_id = $1";
    let claimed: i64 = stage.owner.query_one(sql, &[&tenant(1)]).await.expect("running").get(0);
    for _ in 0..claimed {
        dispatch(&stage.producer, tenant(1), "mail").await;
    }
    refused(stage.producer.query(DISPATCH, &[&tenant(1), &"bulk"]).await, "JQ003");
    assert_eq!(stage.waiting(tenant(1)).await, 20);
}

#[tokio::test]
async fn a_batch_goes_in_whole_or_not_at_all_and_its_refusal_names_the_item() {
    let stage = Stage::set().await;
    stage.quota(Some(tenant(1)), "", 10, true).await;
    dispatch_many(&stage.producer, tenant(1), "default", "mail", 8).await;
    let batch = |n: usize| {
        let mut jobs = vec![json!({"tenant_id": tenant(2), "type": "mail"}); 2];
        jobs.extend(vec![json!({"tenant_id": tenant(1), "type": "mail"}); n]);
        json!(jobs)
    };
    let sql = "select count(*) from fairclaim.dispatch_jobs($1)";
    let error = refused(stage.producer.query(sql, &[&batch(3)]).await, "JQ003");
    assert_eq!(error.message(), "p_jobs[2].tenant: may have 10 jobs waiting (its own quota)");
    let told =
        json!({"argument": "p_jobs", "field": "tenant", "item": 2, "limit": 10, "quota": "tenant"});
    assert_eq!(detail(&error), told);
    assert_eq!((stage.jobs(tenant(1)).await, stage.jobs(tenant(2)).await), (8, 0));
    stage.producer.query(sql, &[&batch(2)]).await.expect("up to the quota");
    assert_eq!((stage.jobs(tenant(1)).await, stage.jobs(tenant(2)).await), (10, 2));
    // by name, and beside bad items, which are told as what they are
    stage.quota(None, "", 1, true).await;
    let named = json!([{"tenant": "acme", "type": "mail"}, {"tenant": "acme", "type": "mail"}]);
    let error = refused(stage.producer.query(sql, &[&named]).await, "JQ003");
    assert_eq!(detail(&error)["quota"], "default");
    let bad = json!([{"tenant_id": "nobody", "type": "mail"}]);
    refused(stage.producer.query(sql, &[&bad]).await, "22P02");
}

#[tokio::test]
async fn quotas_hold_in_a_queue_and_over_all_and_the_own_one_before_the_default() {
    let stage = Stage::set().await;
    let full = |n, queue: &'static str| {
        let (tenant, producer) = (tenant(n), &stage.producer);
        async move { producer.query(DISPATCH, &[&tenant, &queue]).await }
    };
    stage.quota(None, "", 12, true).await;
    stage.quota(None, "mail", 10, true).await;
    stage.quota(Some(tenant(1)), "mail", 11, true).await;
    for n in [1, 2] {
        dispatch_many(&stage.producer, tenant(n), "mail", "mail", 10).await;
    }
    full(1, "mail").await.expect("its own quota is 11");
    let error = refused(full(1, "mail").await, "JQ003");
    assert_eq!(error.message(), "tenant: may have 11 jobs waiting in this queue (its own quota)");
    let error = refused(full(2, "mail").await, "JQ003");
    assert_eq!(
        detail(&error),
        json!({"field": "tenant", "limit": 10, "quota": "default_in_queue"})
    );
    full(1, "other").await.expect("12 in all");
    assert_eq!(detail(&refused(full(1, "other").await, "JQ003"))["quota"], "default");
    dispatch_many(&stage.producer, tenant(3), "other", "mail", 12).await;
    refused(full(3, "third").await, "JQ003");
}

#[tokio::test]
async fn a_quota_that_does_not_refuse_lets_everything_in() {
    let stage = Stage::set().await;
    stage.quota(Some(tenant(1)), "", 3, false).await;
    dispatch_many(&stage.producer, tenant(1), "default", "mail", 30).await;
    dispatch(&stage.producer, tenant(1), "mail").await;
    assert_eq!(stage.waiting(tenant(1)).await, 31);
    // what is above it is shown, up to a bound
    let operator = stage.db.plain_operator().await;
    let sql =
        "select subject, max_waiting, refuses, waiting, at_least from fairclaim.show_quotas($1)";
    let shown = || async {
        let row = operator.query_one(sql, &[&tenant(1)]).await.expect("show_quotas");
        assert_eq!((row.get::<_, &str>(0), row.get::<_, i32>(1)), ("tenant", 3));
        assert!(!row.get::<_, bool>(2), "it refuses nothing");
        (row.get::<_, i32>(3), row.get::<_, bool>(4))
    };
    assert_eq!(shown().await, (31, false));
    dispatch_many(&stage.producer, tenant(1), "other", "mail", 2_000).await;
    assert_eq!(shown().await, (1_003, true));
    stage.quota(None, "mail", 7, true).await;
    let rows = operator
        .query("select waiting, tenant_id from fairclaim.show_quotas(p_queue => 'mail')", &[]);
    let rows = rows.await.expect("show_quotas");
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].get::<_, Option<i32>>(0), None, "of every tenant");
}

#[tokio::test]
async fn what_waits_again_is_never_refused_and_counts() {
    let stage = Stage::set().await;
    stage.quota(Some(tenant(1)), "", 2, true).await;
    dispatch(&stage.producer, tenant(1), "mail").await;
    dispatch(&stage.producer, tenant(1), "mail").await;
    let jobs = claim_jobs(&stage.worker, 2, &mut None).await;
    assert_eq!(jobs.len(), 2);
    dispatch_many(&stage.producer, tenant(1), "default", "mail", 2).await;
    for (job, outcome) in jobs.iter().zip(["release", "retry"]) {
        assert!(settle(&stage.worker, job, outcome).await.accepted);
    }
    stage.db.advance("1 hour").await;
    crate::calls::tick(&stage.worker).await;
    assert_eq!(stage.waiting(tenant(1)).await, 4);
    refused(stage.producer.query(DISPATCH, &[&tenant(1), &"default"]).await, "JQ003");
}
