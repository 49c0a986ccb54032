//! Transactions in two phases: prepared, and committed later, by anybody and from another session.

use serde_json::json;

use super::stage::{Stage, all_orders, dispatch_of, part};
use crate::calls::{claim_jobs, dispatch_batch, settle_all, tenant};

const TICK: &str = "select busy from fairclaim.tick()";
/// A transaction that is to be prepared may not notify.
const BEGIN: &str = "begin; select set_config('fairclaim.notify', 'off', true)";

/// The lane has run empty, so that ticks close and delete it as soon as they may: never before a prepared job in it is served.
async fn a_prepared_dispatch(priority: i32, end: &str) {
    let stage = Stage::set().await;
    let job = dispatch_of(tenant(1), "mail", priority);
    let name = stage.db.name().to_owned();
    let (prepare, end) =
        (format!("prepare transaction '{name}'"), format!("{end} prepared '{name}'"));
    let parts = || {
        [
            part(&stage.producers[0], &[BEGIN, &job, &prepare, &end]),
            part(&stage.workers[0], &[TICK, TICK, TICK]),
        ]
    };
    for order in all_orders(&parts()) {
        stage.clear().await;
        let first = json!({"tenant_id": tenant(1), "type": "mail", "priority": priority});
        dispatch_batch(&*stage.producers[1], &[first]).await;
        let jobs = claim_jobs(&stage.worker, 10, &mut None).await;
        settle_all(&stage.worker, &jobs, "complete").await;
        stage.db.advance("2 hours").await;
        let outcome = stage.play(&parts(), &order).await;
        let told = format!("{order:?}: {outcome:?}");
        assert!(outcome.waited.is_empty(), "{told}");
        assert_eq!(outcome.answers[0][2..], ["", ""], "it could not be prepared: {told}");
        let expected = usize::from(end.starts_with("commit"));
        assert_eq!(stage.audit().await.len(), expected, "{told}");
    }
}

#[tokio::test]
async fn a_prepared_dispatch_into_an_own_lane_meets_ticks_in_every_order() {
    a_prepared_dispatch(7, "commit").await;
}

#[tokio::test]
async fn a_prepared_dispatch_into_a_shared_lane_meets_ticks_in_every_order() {
    a_prepared_dispatch(0, "commit").await;
}

#[tokio::test]
async fn a_prepared_dispatch_that_is_undone_leaves_nothing() {
    a_prepared_dispatch(0, "rollback").await;
}
