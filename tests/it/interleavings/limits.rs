//! Limits that are set, lowered and left while claims, settlements and ticks are open.

use super::stage::{Stage, all_orders, part};
use crate::calls::{
    Bound::{self, Default, DefaultIn, Queue, Tenant},
    Claimed, claim_jobs, dispatch_many, set_limit, settle_all, tenant,
};

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

/// The place in an order of the n-th statement of a part.
fn place(order: &[usize], part: usize, n: usize) -> usize {
    let places = order.iter().enumerate().filter(|(_, one)| **one == part);
    places.map(|(place, _)| place).nth(n).expect("the statement")
}

/// How many jobs an answer tells.
fn jobs(answer: &str) -> usize {
    answer.split(';').filter(|id| !id.is_empty()).count()
}

fn insert_of(bound: Bound<'_>, max: i32) -> String {
    let (subject, queue) = match bound {
        Default => ("default", ""),
        DefaultIn(queue) => ("default", queue),
        Queue(queue) => ("queue", queue),
        other => unreachable!("{other:?} is set elsewhere"),
    };
    format!(
        "insert into fairclaim_internal.running_limit (subject, tenant_id, queue, max_running)
         values ('{subject}', '00000000-0000-0000-0000-000000000000', '{queue}', {max})"
    )
}

/// Until a limit of many is in force, a claim may have counted before what an older one took was marked; from then on it is
/// exact, whatever ran before.
async fn a_limit_of_many_is_set(bound: Bound<'static>) {
    let stage = Stage::set().await;
    let set = insert_of(bound, 2);
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
        dispatch_many(&*stage.producers[0], tenant(1), "default", "mail", 7).await;
        let outcome = stage.play(&parts(), &order).await;
        let told = format!("{order:?}: {outcome:?}");
        assert!(outcome.waited.is_empty(), "{told}");
        stage.ticks(5).await;
        let unmarked = "select count(*) from fairclaim_internal.running r where not r.limited";
        assert_eq!(stage.number(unmarked).await, 0, "{told}");
        let running = stage.number(RUNNING).await;
        let mut held = claim_jobs(&stage.worker, 10, &mut None).await;
        let room = usize::try_from(2 - running).unwrap_or(0);
        assert_eq!(held.len(), room, "{running} were running: {told}");
        // and when all of these have ended
        for (client, n) in [(0, 1), (1, 2)] {
            let ids = outcome.of(n, if client == 0 { 1 } else { 2 });
            held.extend(claimed(&stage, ids).await);
        }
        settle_all(&stage.worker, &held, "complete").await;
        assert_eq!(claim_jobs(&stage.worker, 10, &mut None).await.len(), 2, "{told}");
        stage.one_place_each().await;
    }
}

/// What is needed to settle jobs that a part of a play has claimed.
async fn claimed(stage: &Stage, ids: &str) -> Vec<Claimed> {
    let sql = "select r.id, r.tenant_id, j.type, j.queue, r.attempt as attempts, r.attempts_left::int, r.lost::int, r.lease_token
                 from fairclaim_internal.running r join fairclaim_internal.job j on j.id = r.id
                where r.id = any (string_to_array($1, ';')::uuid[])";
    let rows = stage.owner.query(sql, &[&ids]).await.expect(sql);
    rows.iter().map(Claimed::from).collect()
}

#[tokio::test]
async fn a_default_limit_meets_claims_and_ticks_in_every_order() {
    a_limit_of_many_is_set(Default).await;
}

#[tokio::test]
async fn a_default_limit_in_a_queue_meets_claims_and_ticks_in_every_order() {
    a_limit_of_many_is_set(DefaultIn("default")).await;
}

#[tokio::test]
async fn a_limit_of_a_queue_meets_claims_and_ticks_in_every_order() {
    a_limit_of_many_is_set(Queue("default")).await;
}

/// From three to one. Whoever claims afterwards goes by one, and counts what an older claim took or finds its slot held.
#[tokio::test]
async fn a_limit_is_lowered_while_claims_are_open_in_every_order() {
    let stage = Stage::set().await;
    for bound in [Tenant(tenant(1)), Default, DefaultIn("default"), Queue("default")] {
        let lower = "update fairclaim_internal.running_limit set max_running = 1";
        let claim = "select id from fairclaim.claim_jobs('w', null, 2, p_lease => 3600)";
        let parts = || {
            [
                part(&stage.admin, &[lower]),
                part(&stage.workers[0], &["begin", claim, "commit"]),
                part(&stage.workers[1], &[TICK, claim]),
            ]
        };
        for order in all_orders(&parts()) {
            stage.clear().await;
            set_limit(&stage.owner, bound, Some(3)).await;
            stage.ticks(5).await;
            dispatch_many(&*stage.producers[0], tenant(1), "default", "mail", 6).await;
            let outcome = stage.play(&parts(), &order).await;
            let told = format!("{bound:?} {order:?}: {outcome:?}");
            assert!(outcome.waited.is_empty(), "{told}");
            let (open, other) = (place(&order, 1, 1), place(&order, 2, 1));
            let most = |at: usize| if at < place(&order, 0, 0) { 3 } else { 1 };
            let first = most(open.min(other)).min(2);
            let is_held = open < other && other < place(&order, 1, 2);
            let second = if is_held { 0 } else { most(open.max(other)).max(first) - first };
            let expected = if open < other { (first, second) } else { (second, first) };
            let got = (jobs(outcome.of(1, 1)), jobs(outcome.of(2, 1)));
            assert_eq!(got, expected, "{told}");
            stage.one_place_each().await;
        }
    }
}

/// A tenant is about to leave the walk of claims, or has left it, when one of its jobs ends: it is back at once, or with the
/// next tick if one was deciding just then.
#[tokio::test]
async fn a_settlement_meets_a_tick_that_takes_its_tenant_out_of_the_walk_in_every_order() {
    let stage = Stage::set().await;
    for is_out in [false, true] {
        let orders = all_orders(&[
            part(&stage.workers[0], &["", "", ""]),
            part(&stage.workers[1], &["", "", ""]),
        ]);
        for order in orders {
            stage.clear().await;
            set_limit(&stage.owner, Default, Some(2)).await;
            stage.ticks(5).await;
            dispatch_many(&*stage.producers[0], tenant(1), "default", "mail", 12).await;
            let held = claim_jobs(&stage.worker, 10, &mut None).await;
            assert_eq!(held.len(), 2);
            stage.ticks(1).await;
            stage.db.advance("2 s").await;
            stage.ticks(usize::from(is_out)).await;
            let unwalked = "select count(*) from fairclaim_internal.lane l where l.tenant_id is not null and not l.walked";
            assert_eq!(stage.number(unwalked).await, i64::from(is_out));
            let settle = format!(
                "select count(*) from fairclaim.settle_jobs('w', array['{}'::uuid], array[{}], array['{}'::uuid], array['complete'])",
                held[0].id, held[0].attempts, held[0].token
            );
            let parts = [
                part(&stage.workers[0], &["begin", &settle, "commit"]),
                part(&stage.workers[1], &["begin", TICK, "commit"]),
            ];
            let outcome = stage.play(&parts, &order).await;
            let told = format!("out: {is_out}, {order:?}: {outcome:?}");
            assert!(outcome.waited.is_empty(), "{told}");
            let [settled, ended] = [place(&order, 0, 1), place(&order, 0, 2)];
            let [ticked, kept] = [place(&order, 1, 1), place(&order, 1, 2)];
            if ended < ticked || kept < settled {
                assert_eq!(stage.number(unwalked).await, 0, "{told}");
            } else {
                stage.ticks(1).await;
            }
            assert_eq!(claim_jobs(&stage.worker, 10, &mut None).await.len(), 1, "{told}");
            stage.one_place_each().await;
        }
    }
}

/// A handler settles in a transaction that stays open, which holds the lane that it has had walked again. Others of its
/// tenant's jobs end meanwhile, and what waits is claimed after the next tick.
#[tokio::test]
async fn a_settlement_whose_transaction_stays_open_holds_no_job_of_its_tenant_back() {
    let stage = Stage::set().await;
    stage.clear().await;
    set_limit(&stage.owner, Default, Some(3)).await;
    stage.ticks(5).await;
    dispatch_many(&*stage.producers[0], tenant(1), "default", "mail", 12).await;
    let held = claim_jobs(&stage.worker, 10, &mut None).await;
    assert_eq!(held.len(), 3);
    stage.ticks(1).await;
    stage.db.advance("2 s").await;
    stage.ticks(1).await;
    let unwalked = "select count(*) from fairclaim_internal.lane l where l.tenant_id is not null and not l.walked";
    assert_eq!(stage.number(unwalked).await, 1);

    stage.workers[0].batch_execute("begin").await.expect("begin");
    settle_all(&*stage.workers[0], &held[..1], "complete").await;
    settle_all(&stage.worker, &held[1..2], "complete").await;
    stage.ticks(1).await;
    assert_eq!(claim_jobs(&stage.worker, 10, &mut None).await.len(), 1, "beside the open one");
    settle_all(&stage.worker, &held[2..], "complete").await;
    stage.ticks(1).await;
    assert_eq!(claim_jobs(&stage.worker, 10, &mut None).await.len(), 1, "once more");
    stage.workers[0].batch_execute("commit").await.expect("commit");
    stage.ticks(1).await;
    assert_eq!(claim_jobs(&stage.worker, 10, &mut None).await.len(), 1, "in its place");
    stage.audit().await;
}
