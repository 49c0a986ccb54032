//! Delayed jobs wait too.

use super::Stage;
use crate::calls::{dispatch, refused, tenant};

const LATER: &str = "select fairclaim.dispatch_job($1, 'mail', p_delay => 3600)";

#[tokio::test]
async fn delayed_jobs_count_before_and_after_a_tick_and_until_they_are_gone() {
    let stage = Stage::set().await;
    for _ in 0..3 {
        stage.producer.query_one(LATER, &[&tenant(1)]).await.expect("before the quota");
    }
    stage.quota(Some(tenant(1)), "", 6, true).await;
    stage.round().await;
    for _ in 0..2 {
        stage.producer.query_one(LATER, &[&tenant(1)]).await.expect("two more");
    }
    stage.producer.query_one(LATER, &[&tenant(2)]).await.expect("of another tenant");
    dispatch(&stage.producer, tenant(1), "mail").await;
    refused(stage.producer.query(LATER, &[&tenant(1)]).await, "JQ003");
    for _ in 0..3 {
        stage.round().await;
    }
    refused(stage.producer.query(LATER, &[&tenant(1)]).await, "JQ003");
    // what is cancelled waits no more

    let operator = stage.db.operator().await;
    let ids = "select array_agg(id) from fairclaim_internal.scheduled where tenant_id = $1";
    let ids: Vec<uuid::Uuid> = stage.owner.query_one(ids, &[&tenant(1)]).await.expect("ids").get(0);
    operator
        .query("select fairclaim.cancel_jobs($1, $2)", &[&tenant(1), &ids])
        .await
        .expect("cancel_jobs");
    for _ in 0..3 {
        stage.round().await;
    }
    for _ in 0..5 {
        stage.producer.query_one(LATER, &[&tenant(1)]).await.expect("there is room");
    }
    refused(stage.producer.query(LATER, &[&tenant(1)]).await, "JQ003");
}

/// Outside READ COMMITTED jobs stand in `scheduled` at first, and count there.
#[tokio::test]
async fn jobs_of_a_serializable_transaction_count_in_it() {
    let mut stage = Stage::set().await;
    stage.quota(Some(tenant(1)), "mail", 3, true).await;
    let open = stage
        .producer
        .build_transaction()
        .isolation_level(tokio_postgres::IsolationLevel::Serializable);
    let open = open.start().await.expect("begin");
    let sql = "select fairclaim.dispatch_job($1, 'mail', p_queue => 'mail')";
    for _ in 0..3 {
        open.query_one(sql, &[&tenant(1)]).await.expect("dispatch_job");
    }
    refused(open.query_one(sql, &[&tenant(1)]).await, "JQ003");
}
