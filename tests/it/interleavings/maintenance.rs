//! Ticks and prunes against each other and against everybody else.

use serde_json::json;

use super::stage::{Stage, all_orders, dispatch_of, part};
use crate::calls::{claim_job, claim_jobs, dispatch, dispatch_batch, settle, settle_all, tenant};

const TICK: &str = "select promoted, busy from fairclaim.tick()";
const PRUNE: &str = "select ranges_dropped, rows_deleted from fairclaim.prune()";

/// One works, the other says that it is busy, and nobody waits.
#[tokio::test]
async fn two_ticks_meet_in_every_order() {
    let stage = Stage::set().await;
    let parts = || [0, 1].map(|n| part(&stage.workers[n], &["begin", TICK, "commit"]));
    for order in all_orders(&parts()) {
        stage.clear().await;
        stage
            .producers[0]
            .execute(
                "select fairclaim.dispatch_job($1, 'mail', p_run_at => fairclaim.clock() + interval '1 s')",
                &[&tenant(1)],
            )
            .await
            .expect("dispatch_job");
        stage.db.advance("10 s").await;
        let outcome = stage.play(&parts(), &order).await;
        let told = format!("{order:?}: {outcome:?}");
        assert!(outcome.waited.is_empty(), "{told}");
        let place = |part: usize, n: usize| {
            order.iter().enumerate().filter(|(_, p)| **p == part).nth(n).expect("a place").0
        };
        let first = usize::from(place(1, 1) < place(0, 1));
        let second = 1 - first;
        assert_eq!(outcome.of(first, 1), "1|f", "{told}");
        let apart = place(first, 2) < place(second, 1);
        assert_eq!(outcome.of(second, 1), if apart { "0|f" } else { "0|t" }, "{told}");
        assert_eq!(stage.audit().await.len(), 1, "{told}");
    }
}

/// A month passes, and the range of the jobs that are there is the next to go.
async fn a_month_passes(stage: &Stage) {
    stage.db.advance("30 days").await;
    stage.ticks(3).await;
    let before = "select count(*) from fairclaim.id_range r
                   where fairclaim.id_at(fairclaim.millis(r.ends_at)) <= (select min(id::text)::uuid from fairclaim.job)";
    while stage.number(before).await > 0 {
        stage.operator.query(PRUNE, &[]).await.expect("prune");
    }
}

/// Either the job runs again, or it is gone with its range: never half of it.
#[tokio::test]
async fn a_range_that_goes_meets_a_retry_in_every_order() {
    let stage = Stage::set().await;
    let (mut kept, mut gone) = (0, 0);
    for order in super::rig::orders(&[3, 3]) {
        stage.clear().await;
        stage.ticks(1).await;
        let id = dispatch(&*stage.producers[0], tenant(1), "mail").await;
        let job = claim_job(&stage.worker, "w").await.expect("the job");
        settle(&stage.worker, &job, "complete").await;
        a_month_passes(&stage).await;
        let retry = format!(
            "select status from fairclaim.retry_jobs('{}', array['{id}'::uuid])",
            tenant(1)
        );
        let parts = [
            part(&stage.operator, &["begin", PRUNE, "commit"]),
            part(&stage.producers[0], &["begin", &retry, "commit"]),
        ];
        let outcome = stage.play(&parts, &order).await;
        let told = format!("{order:?}: {outcome:?}");
        let jobs = stage.number("select count(*) from fairclaim.job").await;
        // with the job's range in use, a later one may go
        match outcome.of(1, 1) {
            "null" => {
                assert_eq!((outcome.of(0, 1), jobs), ("1|0", 0), "{told}");
                assert!(stage.audit().await.is_empty(), "{told}");
                gone += 1;
            }
            "pending" => {
                assert_eq!(jobs, 1, "{told}");
                let again = stage.audit().await;
                assert_eq!((again.len(), again[0].attempts), (1, 2), "{told}");
                kept += 1;
            }
            _ => panic!("{told}"),
        }
    }
    assert!(kept > 0 && gone > 0, "kept {kept} times, gone {gone} times");
}

/// A range in which one job still waits is emptied of the others, beside whoever claims that one.
#[tokio::test]
async fn a_range_that_is_emptied_meets_a_claim_in_every_order() {
    let stage = Stage::set().await;
    let claim = "select count(*) from fairclaim.claim_jobs('w', null, 10, p_lease => '1 h')";
    for order in super::rig::orders(&[3, 3]) {
        stage.clear().await;
        stage.ticks(1).await;
        let jobs = vec![json!({"tenant_id": tenant(1), "type": "mail"}); 3];
        dispatch_batch(&*stage.producers[0], &jobs).await;
        let jobs = claim_jobs(&stage.worker, 2, &mut None).await;
        settle_all(&stage.worker, &jobs, "complete").await;
        a_month_passes(&stage).await;
        let parts = [
            part(&stage.operator, &["begin", PRUNE, "commit"]),
            part(&stage.workers[0], &["begin", claim, "rollback"]),
        ];
        let outcome = stage.play(&parts, &order).await;
        let told = format!("{order:?}: {outcome:?}");
        assert!(outcome.waited.is_empty(), "{told}");
        assert_eq!((outcome.of(0, 1), outcome.of(1, 1)), ("0|2", "1"), "{told}");
        assert_eq!(stage.number("select count(*) from fairclaim.job").await, 1, "{told}");
        assert_eq!(stage.audit().await.len(), 1, "{told}");
    }
}

/// The net: rows whose lane is not there are put back, beside a producer of the same key.
#[tokio::test]
async fn the_sweep_of_rows_without_a_lane_meets_a_dispatch_in_every_order() {
    let stage = Stage::set().await;
    let job = dispatch_of(tenant(1), "mail", 7);
    let sixty =
        "select max(t.moved) from (select (fairclaim.tick()).moved from generate_series(1, 60)) t";
    let parts = || {
        [part(&stage.producers[0], &["begin", &job, "commit"]), part(&stage.workers[0], &[sixty])]
    };
    for order in all_orders(&parts()) {
        stage.clear().await;
        let stray = json!({"tenant_id": tenant(1), "type": "mail", "priority": 7});
        dispatch_batch(&*stage.producers[1], &vec![stray; 3]).await;
        stage.owner.batch_execute("delete from fairclaim.lane").await.expect("lose the lanes");
        let outcome = stage.play(&parts(), &order).await;
        assert!(outcome.waited.is_empty(), "{order:?}: {outcome:?}");
        assert_eq!(outcome.of(1, 0), "3", "{order:?}: {outcome:?}");
        assert_eq!(stage.audit().await.len(), 4, "{order:?}");
    }
}
