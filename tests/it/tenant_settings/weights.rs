//! A changed weight reaches all lanes of its tenant within one tick, also those that are opened at that moment.

use super::{set, text};
use crate::{
    calls::{dispatch_many, tenant, tick},
    support::{Client, TestDb},
};

const LANES: &str = "select string_agg(distinct right(tenant_id::text, 1) || queue || weight, ' ')
                       from fairclaim_internal.lane where tenant_id is not null";
const NOTES: &str = "select count(*)::text from fairclaim_internal.weight_note";

/// A tenant with a backlog of 20 in each of two queues.
async fn backlog(producer: &Client, n: u128) {
    for queue in ["a", "b"] {
        dispatch_many(producer, tenant(n), queue, "mail", 20).await;
    }
}

#[tokio::test]
async fn a_weight_reaches_the_lanes_that_are_there_with_the_next_tick() {
    let db = TestDb::new().await;
    let (producer, operator, worker, owner) =
        (db.producer().await, db.operator().await, db.worker().await, db.owner().await);
    backlog(&producer, 1).await;
    backlog(&producer, 2).await;
    set(&operator, "fairclaim.pause_tenant('7e4a0000-0000-4000-8000-000000000009')").await;
    let pause = "select fairclaim.pause_queue('b')";
    operator.execute(pause, &[]).await.expect(pause);
    let one = format!("'{}'", tenant(1));
    for (call, lanes) in [
        (format!("fairclaim.set_weight({one}, 7)"), "1a7 1b7 2a1 2b1"),
        (format!("fairclaim.set_weight({one}, 3, 'b')"), "1a7 1b3 2a1 2b1"),
        (format!("fairclaim.set_weight({one}, null)"), "1a1 1b3 2a1 2b1"),
        (format!("fairclaim.set_weight({one}, null, 'b')"), "1a1 1b1 2a1 2b1"),
        (
            format!(
                "fairclaim.declare_limits('{{\"tenants\": {{\"{}\": {{\"weight\": 9}}}}}}')",
                tenant(2)
            ),
            "1a1 1b1 2a9 2b9",
        ),
    ] {
        set(&operator, &call).await;
        tick(&worker).await;
        assert_eq!(text(&owner, LANES).await, lanes, "{call}");
    }
    tick(&worker).await;
    tick(&worker).await;
    assert_eq!(text(&owner, NOTES).await, "0", "no note is left");
}

#[tokio::test]
async fn a_new_lane_has_the_weight_of_its_tenant_there() {
    let db = TestDb::new().await;
    let (producer, operator, owner) = (db.producer().await, db.operator().await, db.owner().await);
    let one = format!("'{}'", tenant(1));
    set(&operator, &format!("fairclaim.set_weight({one}, 7)")).await;
    set(&operator, &format!("fairclaim.set_weight({one}, 3, 'b')")).await;
    backlog(&producer, 1).await;
    backlog(&producer, 2).await;
    assert_eq!(text(&owner, LANES).await, "1a7 1b3 2a1 2b1");
}

#[tokio::test]
async fn a_lane_that_was_opened_with_the_old_weight_meanwhile_gets_the_new_one() {
    let db = TestDb::new().await;
    let (mut producer, operator, worker, owner) =
        (db.producer().await, db.operator().await, db.worker().await, db.owner().await);
    let one = format!("'{}'", tenant(1));
    let open = producer.transaction().await.expect("begin");
    let dispatch = "select count(*) from fairclaim.dispatch_jobs((select jsonb_agg(jsonb_build_object('tenant_id', $1::uuid, 'type', 'mail')) from generate_series(1, 20)))";
    open.query(dispatch, &[&tenant(1)]).await.expect("dispatch_jobs");
    set(&operator, &format!("fairclaim.set_weight({one}, 7)")).await;
    for _ in 0..4 {
        tick(&worker).await;
    }
    assert_eq!(text(&owner, NOTES).await, "1", "the lane is not to be seen yet");
    open.commit().await.expect("commit");
    assert_eq!(text(&owner, LANES).await, "1default1");
    for _ in 0..3 {
        tick(&worker).await;
    }
    assert_eq!(text(&owner, LANES).await, "1default7");
    assert_eq!(text(&owner, NOTES).await, "0");
}

#[tokio::test]
async fn a_lane_that_is_locked_keeps_the_note_and_stops_nothing() {
    let db = TestDb::new().await;
    let (producer, operator, worker, owner, mut other) = (
        db.producer().await,
        db.operator().await,
        db.worker().await,
        db.owner().await,
        db.owner().await,
    );
    backlog(&producer, 1).await;
    backlog(&producer, 2).await;
    let held = other.transaction().await.expect("begin");
    let lock =
        "select from fairclaim_internal.lane where tenant_id = $1 and queue = 'b' for update";
    held.query(lock, &[&tenant(1)]).await.expect(lock);
    for n in 1..=2 {
        set(&operator, &format!("fairclaim.set_weight('{}', 7)", tenant(n))).await;
    }
    for _ in 0..4 {
        let row = tick(&worker).await;
        assert_eq!(row.get::<_, Vec<String>>("failed"), Vec::<String>::new());
    }
    assert_eq!(text(&owner, LANES).await, "1a7 1b1 2a7 2b7");
    assert_eq!(text(&owner, NOTES).await, "1");
    held.commit().await.expect("commit");
    for _ in 0..3 {
        tick(&worker).await;
    }
    assert_eq!(text(&owner, LANES).await, "1a7 1b7 2a7 2b7");
    assert_eq!(text(&owner, NOTES).await, "0");
}

/// Ticks that only go on with what was left do not look which transactions are open: one that began between two looks must
/// count from the first.
#[tokio::test]
async fn a_transaction_that_began_between_two_looks_at_the_holders_is_waited_for() {
    let db = TestDb::with_test_clock().await;
    let (mut producer, operator, worker, owner) =
        (db.producer().await, db.operator().await, db.worker().await, db.owner().await);
    let rounds = "update fairclaim_internal.setting set tick_every = '10 s'";
    owner.batch_execute(rounds).await.expect(rounds);
    let one = format!("'{}'", tenant(1));
    let left = "update fairclaim_internal.tick_state set left_over = true";
    tick(&worker).await;
    let open = producer.transaction().await.expect("begin");
    let dispatch = "select count(*) from fairclaim.dispatch_jobs((select jsonb_agg(jsonb_build_object('tenant_id', $1::uuid, 'type', 'mail')) from generate_series(1, 20)))";
    open.query(dispatch, &[&tenant(1)]).await.expect("dispatch_jobs");
    set(&operator, &format!("fairclaim.set_weight({one}, 7)")).await;
    for _ in 0..3 {
        owner.batch_execute(left).await.expect(left);
        tick(&worker).await;
    }
    let seen = "select (seen is not null)::text from fairclaim_internal.weight_note";
    assert_eq!(text(&owner, seen).await, "true", "these ticks have worked");
    for _ in 0..3 {
        db.advance("11 seconds").await;
        tick(&worker).await;
    }
    assert_eq!(text(&owner, NOTES).await, "1", "the dispatch is still open");
    open.commit().await.expect("commit");
    for _ in 0..3 {
        db.advance("11 seconds").await;
        tick(&worker).await;
    }
    assert_eq!(text(&owner, LANES).await, "1default7");
    assert_eq!(text(&owner, NOTES).await, "0");
}
