//! Ticks and prunes against each other and against everybody else.

use serde_json::json;

use super::stage::{Stage, all_orders, dispatch_of, part};
use crate::calls::{claim_job, claim_jobs, dispatch, dispatch_batch, settle, settle_all, tenant};

const TICK: &str = "select promoted, busy from fairclaim.tick()";
const DROP: &str = "select ranges_dropped from fairclaim.drop_ranges()";
const ROWS: &str = "select rows_deleted from fairclaim.prune()";
/// Both, in this order: ranges that can go whole, then what could not.
const PRUNE: &str =
    "select d.ranges_dropped, (select p.rows_deleted from fairclaim.prune() p where d.ranges_dropped >= 0)
       from fairclaim.drop_ranges() d";
const CLAIM: &str = "select count(*) from fairclaim.claim_jobs('w', null, 10, p_lease => 3600)";

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
    let before = "select count(*) from fairclaim_internal.id_range r
                   where fairclaim_internal.id_at(fairclaim_internal.millis(r.ends_at)) <= (select min(id::text)::uuid from fairclaim_internal.job)";
    while stage.number(before).await > 0 {
        stage.operator.query(DROP, &[]).await.expect("drop_ranges");
    }
}

/// Either the job runs again, or it is gone with its range: never half of it.
#[tokio::test]
async fn a_range_that_goes_meets_a_retry_in_every_order() {
    let stage = Stage::set().await;
    let (mut kept, mut gone) = (0, 0);
    for order in super::play::orders(&[3, 3]) {
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
        let jobs = stage.number("select count(*) from fairclaim_internal.job").await;
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
async fn an_emptied_range_meets_a_claim(end: &str) {
    let stage = Stage::set().await;
    for order in super::play::orders(&[3, 3]) {
        stage.clear().await;
        stage.ticks(1).await;
        let jobs = vec![json!({"tenant_id": tenant(1), "type": "mail"}); 3];
        dispatch_batch(&*stage.producers[0], &jobs).await;
        let jobs = claim_jobs(&stage.worker, 2, &mut None).await;
        settle_all(&stage.worker, &jobs, "complete").await;
        a_month_passes(&stage).await;
        let parts = [
            part(&stage.operator, &["begin", ROWS, "commit"]),
            part(&stage.workers[0], &["begin", CLAIM, end]),
        ];
        let outcome = stage.play(&parts, &order).await;
        let told = format!("{order:?}: {outcome:?}");
        assert!(outcome.waited.is_empty(), "{told}");
        assert_eq!((outcome.of(0, 1), outcome.of(1, 1)), ("2", "1"), "{told}");
        assert_eq!(stage.number("select count(*) from fairclaim_internal.job").await, 1, "{told}");
        assert_eq!(stage.audit().await.len(), usize::from(end == "rollback"), "{told}");
    }
}

#[tokio::test]
async fn a_range_that_is_emptied_meets_a_claim_in_every_order() {
    an_emptied_range_meets_a_claim("commit").await;
}

#[tokio::test]
async fn a_range_that_is_emptied_meets_a_claim_that_is_undone_in_every_order() {
    an_emptied_range_meets_a_claim("rollback").await;
}

/// A range whose only job has ended goes whole, while a job of a newer one is claimed. Gives what prune answered and whether the
/// claim had to wait; the claim gets its job whatever comes of the range, and the range goes with the next prune if not with
/// this one.
async fn a_dropped_range(
    stage: &Stage,
    [prune, claim]: [&[&str]; 2],
    order: &[usize],
) -> (String, bool) {
    let place = |statements: &[&str], text| statements.iter().position(|s| *s == text);
    let (prune_at, claim_at) = (place(prune, PRUNE), place(claim, CLAIM));
    let (prune_at, claim_at) = (prune_at.expect("a prune"), claim_at.expect("a claim"));
    stage.clear().await;
    stage.ticks(1).await;
    dispatch(&*stage.producers[0], tenant(1), "mail").await;
    let job = claim_job(&stage.worker, "w").await.expect("the job");
    settle(&stage.worker, &job, "complete").await;
    a_month_passes(stage).await;
    dispatch(&*stage.producers[0], tenant(2), "mail").await;
    let parts = [part(&stage.operator, prune), part(&stage.workers[0], claim)];
    let outcome = stage.play(&parts, order).await;
    let told = format!("{order:?}: {outcome:?}");
    assert_eq!(outcome.of(1, claim_at), "1", "the claim gets its job: {told}");
    let answer = outcome.of(0, prune_at).to_owned();
    assert!(["1|0", "0|1"].contains(&answer.as_str()), "its row goes if the range cannot: {told}");
    if answer == "0|1" {
        let at = |part: usize, n: usize| order.iter().enumerate().filter(|o| *o.1 == part).nth(n);
        let in_its_way =
            at(1, claim_at) < at(0, prune_at) && at(0, prune_at) < at(1, claim.len() - 1);
        assert!(in_its_way, "nothing was in its way: {told}");
        let row = stage.operator.query_one(PRUNE, &[]).await.expect("prune");
        assert_eq!((row.get::<_, i32>(0), row.get::<_, i64>(1)), (1, 0), "the next one: {told}");
    }
    assert_eq!(stage.number("select count(*) from fairclaim_internal.job").await, 1, "{told}");
    let undone = claim.last() == Some(&"rollback");
    assert_eq!(stage.audit().await.len(), usize::from(undone), "{told}");
    (answer, outcome.waited.contains(&(1, claim_at)))
}

/// A job goes by itself, in a range that is still open. Either it runs again, or it is gone: never half of it.
#[tokio::test]
async fn a_job_that_is_deleted_meets_a_retry_in_every_order() {
    const OF_AN_HOUR: &str = "select rows_deleted from fairclaim.prune(3600)";
    let stage = Stage::set().await;
    let (mut kept, mut gone) = (0, 0);
    for order in super::play::orders(&[3, 3]) {
        stage.clear().await;
        let id = dispatch(&*stage.producers[0], tenant(1), "mail").await;
        let job = claim_job(&stage.worker, "w").await.expect("the job");
        settle(&stage.worker, &job, "fail").await;
        stage.db.advance("2 hours").await;
        let retry = format!(
            "select status from fairclaim.retry_jobs('{}', array['{id}'::uuid])",
            tenant(1)
        );
        let parts = [
            part(&stage.operator, &["begin", OF_AN_HOUR, "commit"]),
            part(&stage.producers[0], &["begin", &retry, "commit"]),
        ];
        let outcome = stage.play(&parts, &order).await;
        let told = format!("{order:?}: {outcome:?}");
        assert!(outcome.waited.is_empty(), "{told}");
        let jobs = stage.number("select count(*) from fairclaim_internal.job").await;
        let errors = stage.number("select count(*) from fairclaim_internal.attempt_error").await;
        if outcome.of(0, 1) == "1" {
            assert_ne!(outcome.of(1, 1), "pending", "{told}");
            assert_eq!((jobs, errors), (0, 0), "{told}");
            assert!(stage.audit().await.is_empty(), "{told}");
            gone += 1;
        } else {
            assert_eq!((outcome.of(1, 1), jobs), ("pending", 1), "{told}");
            assert!(errors > 0, "its history is kept: {told}");
            assert_eq!(stage.audit().await.len(), 1, "{told}");
            kept += 1;
        }
    }
    assert!(kept > 0 && gone > 0, "kept {kept} times, gone {gone} times");
}

/// Goes on when nobody waits for a lock any more: whoever waited has got it, or has given up.
const STAY: &str = "do $$ begin
    while exists (select from pg_locks l where not l.granted
                     and l.database = (select d.oid from pg_database d where d.datname = current_database())) loop
      perform pg_sleep(0.01);
    end loop; end $$";

/// Prune gives up when a claim stays open for longer than it waits, and says so; without one it drops the range.
#[tokio::test]
async fn a_range_that_is_dropped_meets_a_claim_in_every_order() {
    let stage = Stage::set().await;
    for end in ["commit", "rollback"] {
        let claim = ["begin", CLAIM, STAY, end];
        let (mut dropped, mut put_off) = (0, 0);
        for order in super::play::orders(&[1, claim.len()]) {
            let (answer, waited) = a_dropped_range(&stage, [&[PRUNE], &claim], &order).await;
            assert!(!waited, "a prune that has ended is in nobody's way: {order:?}");
            // between the claim and what it stays for
            let in_its_way = order == [1, 1, 0, 1, 1];
            assert!(!in_its_way || answer == "0|1", "{order:?}: {answer}");
            dropped += usize::from(answer == "1|0");
            put_off += usize::from(answer == "0|1");
        }
        assert!(dropped > 0 && put_off > 0, "dropped {dropped} times, put off {put_off} times");
    }
}

/// Who keeps the transaction of a prune open makes claims wait for its end, and they get their jobs then.
#[tokio::test]
async fn a_range_that_is_dropped_in_an_open_transaction_meets_a_claim_in_every_order() {
    let stage = Stage::set().await;
    let (prune, claim) = (["begin", PRUNE, "commit"], ["begin", CLAIM, "commit"]);
    let (mut dropped, mut waits) = (0, 0);
    for order in super::play::orders(&[prune.len(), claim.len()]) {
        let (answer, waited) = a_dropped_range(&stage, [&prune, &claim], &order).await;
        dropped += usize::from(answer == "1|0");
        waits += usize::from(waited);
    }
    assert!(dropped > 0 && waits > 0, "dropped {dropped} times, a claim waited {waits} times");
}

/// The net: rows whose lane is not there are put back, beside a producer of the same key.
#[tokio::test]
async fn the_sweep_of_rows_without_a_lane_meets_a_dispatch_in_every_order() {
    let stage = Stage::set().await;
    let job = dispatch_of(tenant(1), "mail", 7);
    let sweep = "select moved from fairclaim.tick()";
    let parts = || {
        [part(&stage.producers[0], &["begin", &job, "commit"]), part(&stage.workers[0], &[sweep])]
    };
    for order in all_orders(&parts()) {
        stage.clear().await;
        let stray = json!({"tenant_id": tenant(1), "type": "mail", "priority": 7});
        dispatch_batch(&*stage.producers[1], &vec![stray; 3]).await;
        stage
            .owner
            .batch_execute("delete from fairclaim_internal.lane")
            .await
            .expect("lose the lanes");
        stage.db.advance("1 min").await; // so that the next tick sweeps
        let outcome = stage.play(&parts(), &order).await;
        assert!(outcome.waited.is_empty(), "{order:?}: {outcome:?}");
        assert_eq!(outcome.of(1, 0), "3", "{order:?}: {outcome:?}");
        assert_eq!(stage.audit().await.len(), 4, "{order:?}");
    }
}
