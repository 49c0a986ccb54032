//! A tick whose transaction never ends is passed; whatever it does later, no job is lost by it.

use super::stage::{Stage, dispatch_of, part};
use crate::{
    calls::{claim_jobs, dispatch_batch, settle_all, tenant},
    notify::stop_clock,
};
use serde_json::json;

const TICK: &str = "select busy from fairclaim.tick()";
/// The bound of the idle time is lifted by whoever wants to keep the others away.
const HOLD: &str = "set local idle_in_transaction_session_timeout = 0";
const BEGIN: &str = "begin; select set_config('fairclaim.notify', 'off', true)";

/// How the transaction of the passed tick ends.
#[derive(Clone, Copy, Debug)]
enum End {
    Commit,
    Rollback,
    CommitPrepared,
}

impl End {
    const ALL: [Self; 3] = [Self::Commit, Self::Rollback, Self::CommitPrepared];

    /// What is done after its tick, and what ends it.
    fn statements(self, stage: &Stage) -> (String, String) {
        let name = stage.db.name();
        match self {
            Self::Commit => (HOLD.to_owned(), "commit".to_owned()),
            Self::Rollback => (HOLD.to_owned(), "rollback".to_owned()),
            Self::CommitPrepared => {
                (format!("prepare transaction '{name}'"), format!("commit prepared '{name}'"))
            }
        }
    }
}

const LATER: &str = "update fairclaim_internal.test_clock set shift = shift + interval '13 s'";

/// All orders of one producer (two statements), the end of the hostage and three ticks, after a beginning.
fn orders_after(beginning: &[usize], counts: &[usize]) -> Vec<Vec<usize>> {
    let all = super::play::orders(counts);
    all.into_iter().map(|order| [beginning, &order].concat()).collect()
}

/// A tick closes a lane and stays open; the others pass it, and a producer uses the lane that it still sees open. Gives the
/// jobs that ever stood without a lane, and in how many orders a tick worked beside the hostage.
async fn a_lane_closed_by_a_hostage(stage: &Stage, end: End) -> (i64, usize) {
    let (hold, ends) = end.statements(stage);
    let job = dispatch_of(tenant(1), "mail", 7);
    let (mut stray, mut worked) = (0, 0);
    // 0 the hostage, 1 a ticker, 2 a producer, 3 the clock
    for order in orders_after(&[0, 0, 0, 3], &[1, 3, 2]) {
        stage.clear().await;
        dispatch_batch(
            &*stage.producers[1],
            &[json!({"tenant_id": tenant(1), "type": "mail", "priority": 7})],
        )
        .await;
        let jobs = claim_jobs(&stage.worker, 10, &mut None).await;
        settle_all(&stage.worker, &jobs, "complete").await;
        stage.ticks(1).await;
        stage
            .owner
            .batch_execute("update fairclaim_internal.lane set drained = null")
            .await
            .expect("open");
        stage.db.advance("1 min").await;
        let parts = [
            part(&stage.workers[0], &[BEGIN, TICK, &hold, &ends]),
            part(&stage.workers[1], &[TICK, TICK, TICK]),
            part(&stage.producers[0], &[&format!("begin; {job}"), "commit"]),
            part(&stage.admin, &[LATER]),
        ];
        let outcome = stage.play(&parts, &order).await;
        let told = format!("{end:?} {order:?}: {outcome:?}");
        assert!(outcome.waited.is_empty(), "{told}");
        assert!(outcome.answers[1].iter().all(|busy| busy == "f"), "held hostage: {told}");
        worked += 1;
        stray += stage
            .number("select count(*) from fairclaim_internal.ready y where not exists (select from fairclaim_internal.lane l where l.lane_id = y.lane_id)")
            .await;
        if stray > 0 {
            break;
        }
        assert_eq!(stage.audit().await.len(), 1, "{told}");
    }
    (stray, worked)
}

#[tokio::test]
async fn a_lane_that_a_passed_tick_closed_meets_a_producer_in_every_order() {
    let stage = Stage::set().await;
    stop_clock(&stage.db).await;
    for end in End::ALL {
        let (stray, worked) = a_lane_closed_by_a_hostage(&stage, end).await;
        assert_eq!((stray, worked), (0, 60), "{end:?}");
    }
}

/// The control: who takes the numbers of a passed tick for its own deletes a lane that somebody still uses.
#[tokio::test]
async fn the_orders_tell_a_tick_that_trusts_what_a_passed_one_closed() {
    let stage = Stage::set().await;
    stop_clock(&stage.db).await;
    stage.replace("take_guard", "array_fill(v_n, array", "array_fill(v_state.n, array").await;
    let (stray, _) = a_lane_closed_by_a_hostage(&stage, End::Commit).await;
    assert!(stray > 0, "nobody noticed");
}

/// The hostage has moved the floor of a shared lane past a producer, who commits before or after it ends. Gives how many of the
/// producer's jobs were claimed in the end, the least of all orders.
async fn a_floor_moved_by_a_hostage(stage: &Stage, end: End, audit: bool) -> usize {
    let (hold, ends) = end.statements(stage);
    let job = dispatch_of(tenant(1), "mail", 0);
    let mut least = usize::MAX;
    for order in orders_after(&[], &[1, 3, 1]) {
        stage.clear().await;
        let others: Vec<_> =
            (10..610).map(|n| json!({"tenant_id": tenant(n), "type": "mail"})).collect();
        dispatch_batch(&*stage.producers[1], &[json!({"tenant_id": tenant(2), "type": "mail"})])
            .await;
        stage.producers[0].batch_execute(&format!("begin; {job}")).await.expect("dispatch");
        dispatch_batch(&*stage.producers[1], &others).await;
        let jobs = claim_jobs(&stage.worker, 1_000, &mut None).await;
        settle_all(&stage.worker, &jobs, "complete").await;
        stage.ticks(1).await;
        stage.db.advance("4 s").await;
        for statement in [BEGIN, TICK, &hold] {
            stage.workers[0].batch_execute(statement).await.expect(statement);
        }
        stage.db.advance("13 s").await;
        let parts = [
            part(&stage.workers[0], &[&ends]),
            part(&stage.workers[1], &[TICK, TICK, TICK]),
            part(&stage.producers[0], &["commit"]),
        ];
        let outcome = stage.play(&parts, &order).await;
        let told = format!("{end:?} {order:?}: {outcome:?}");
        assert!(outcome.waited.is_empty(), "{told}");
        assert!(outcome.answers[1].iter().all(|busy| busy == "f"), "held hostage: {told}");
        if audit {
            least = least.min(stage.audit().await.len());
        } else {
            stage.ticks(6).await;
            least = least.min(claim_jobs(&stage.worker, 10, &mut None).await.len());
        }
    }
    least
}

#[tokio::test]
async fn a_floor_that_a_passed_tick_moved_meets_a_producer_in_every_order() {
    let stage = Stage::set().await;
    stop_clock(&stage.db).await;
    for end in End::ALL {
        assert_eq!(a_floor_moved_by_a_hostage(&stage, end, true).await, 1, "{end:?}");
    }
}

/// The control: without the look back when the passed tick has ended, a job below its floor is never claimed.
#[tokio::test]
async fn the_orders_tell_a_floor_of_a_passed_tick_that_nobody_looks_behind() {
    let stage = Stage::set().await;
    stop_clock(&stage.db).await;
    stage.replace("free_passed", "if p_state.passed_slot = '{}' then", "if true then").await;
    assert_eq!(a_floor_moved_by_a_hostage(&stage, End::Commit, false).await, 0, "nobody noticed");
}
