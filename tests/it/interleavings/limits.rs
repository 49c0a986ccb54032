//! A limit that is set while claims are open.

use super::stage::{Stage, all_orders, part};
use crate::calls::{claim_jobs, dispatch_many, tenant};

const TICK: &str = "select busy from fairclaim.tick()";
const RUNNING: &str = "select count(*) from fairclaim_internal.running";

/// The limit is two. A claim that began before it may take two, whatever its transaction does afterwards; nobody takes one
/// beyond them.
async fn a_limit_is_set(light: bool) {
    let stage = Stage::set().await;
    let set = format!(
        "insert into fairclaim_internal.running_limit (subject, tenant_id, queue, max_running) values ('tenant', '{}', '', 2)",
        tenant(1)
    );
    let claim =
        |n: i32| format!("select id from fairclaim.claim_jobs('w', null, {n}, p_lease => 3600)");
    let parts = || {
        [
            part(&stage.admin, &[&set]),
            part(&stage.workers[0], &["begin", &claim(2), "commit"]),
            part(&stage.workers[1], &[TICK, TICK, &claim(1)]),
        ]
    };
    for order in all_orders(&parts()) {
        stage.clear().await;
        // up to 8 jobs wait in the shared lane, more in an own one
        dispatch_many(
            &*stage.producers[0],
            tenant(1),
            "default",
            "mail",
            if light { 6 } else { 12 },
        )
        .await;
        let outcome = stage.play(&parts(), &order).await;
        let told = format!("{order:?}: {outcome:?}");
        assert!(outcome.waited.is_empty(), "{told}");
        let set_at = order.iter().position(|part| *part == 0);
        let last_claim_at = order.iter().rposition(|part| *part == 2);
        let running = stage.number(RUNNING).await;
        if set_at < last_claim_at {
            assert!(running <= 2, "{running} running under a limit of 2: {told}");
        }
        stage.ticks(4).await;
        let more = claim_jobs(&stage.worker, 10, &mut None).await;
        let expected = usize::try_from(2 - running).unwrap_or(0);
        assert_eq!(more.len(), expected, "{running} were running: {told}");
        stage.one_place_each().await;
    }
}

#[tokio::test]
async fn a_limit_on_a_light_tenant_meets_claims_and_ticks_in_every_order() {
    a_limit_is_set(true).await;
}

#[tokio::test]
async fn a_limit_on_a_backlogged_tenant_meets_claims_and_ticks_in_every_order() {
    a_limit_is_set(false).await;
}
