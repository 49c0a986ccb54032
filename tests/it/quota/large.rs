//! Quotas that tick counts, since a dispatch would count for too long.

use super::Stage;
use crate::{
    calls::{claim_jobs, dispatch, dispatch_many, refused, settle_all, tenant},
    costs::least,
};

const ONE: &str = "select fairclaim.dispatch_job($1, 'mail')";

#[tokio::test]
async fn a_large_quota_is_exact_before_and_after_ticks_counted() {
    let stage = Stage::set().await;
    stage.quota(Some(tenant(1)), "", 2_000, true).await;
    stage.quota(Some(tenant(1)), "bulk", 1_500, true).await;
    dispatch_many(&stage.producer, tenant(1), "default", "mail", 700).await;
    stage.round().await;
    dispatch_many(&stage.producer, tenant(1), "bulk", "mail", 800).await;
    for _ in 0..3 {
        stage.round().await;
    }
    let known = "select coalesce(sum(jobs), 0)::int8, count(*) from fairclaim_internal.waiting_count where queue = ''";
    let row = stage.owner.query_one(known, &[]).await.expect("waiting_count");
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (1_500, 1), "in own lanes");
    dispatch_many(&stage.producer, tenant(1), "other", "mail", 499).await;
    dispatch(&stage.producer, tenant(1), "mail").await;
    refused(stage.producer.query(ONE, &[&tenant(1)]).await, "JQ003");
    stage.round().await;
    refused(stage.producer.query(ONE, &[&tenant(1)]).await, "JQ003");

    let jobs = claim_jobs(&stage.worker, 300, &mut None).await;
    settle_all(&stage.worker, &jobs, "complete").await;
    for _ in 0..4 {
        stage.round().await;
    }
    dispatch_many(&stage.producer, tenant(1), "default", "mail", 300).await;
    refused(stage.producer.query(ONE, &[&tenant(1)]).await, "JQ003");
    assert_eq!(stage.waiting(tenant(1)).await, 2_000);
    let sql = "delete from fairclaim_internal.waiting_limit";
    stage.owner.execute(sql, &[]).await.expect("no quota");
    stage.round().await;
    let left = "select count(*) from fairclaim_internal.waiting_count";
    assert_eq!(stage.owner.query_one(left, &[]).await.expect("left").get::<_, i64>(0), 0);
}

/// A backlog far above the quota, and one of many rows below it, cost a dispatch as little as a short one.
#[tokio::test]
async fn a_backlog_below_a_large_quota_is_not_walked_by_a_dispatch() {
    let stage = Stage::set().await;
    stage.quota(Some(tenant(1)), "", 1_000_000, true).await;
    let one = format!("select fairclaim.dispatch_job('{}', 'mail')", tenant(1));
    dispatch_many(&stage.producer, tenant(1), "default", "mail", 100).await;
    stage.round().await;
    let short = least(&stage.producer, &one).await;
    dispatch_many(&stage.producer, tenant(1), "default", "mail", 20_000).await;
    for _ in 0..8 {
        stage.round().await;
    }
    let long = least(&stage.producer, &one).await;
    assert!(long.pages <= short.pages + 40, "{long:?} with 20,000 waiting, {short:?} with 100");
}

#[tokio::test]
async fn tenants_without_a_quota_pay_one_look_and_nothing_else() {
    let stage = Stage::set().await;
    let one = format!("select fairclaim.dispatch_job('{}', 'mail')", tenant(1));
    dispatch_many(&stage.producer, tenant(1), "default", "mail", 50).await;
    let none = least(&stage.producer, &one).await;
    stage.quota(Some(tenant(2)), "", 10, true).await;
    let others = least(&stage.producer, &one).await;
    assert!(
        others.bytes <= none.bytes + 8 && others.records <= none.records,
        "{others:?}, {none:?}"
    );
    assert!(others.pages <= none.pages + 4, "{others:?} beside another's quota, {none:?} without");
}
