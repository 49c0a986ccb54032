//! Ticks: anybody may call them, any number at once, and none keeps the others away for long.

use std::time::Duration;

use super::prompt;
use crate::{
    calls::{dispatch, tenant, tick},
    support::{Client, GenericClient, TestDb, waiting::until},
};

/// How long the server lets a session be idle in a transaction, as it says it.
async fn idle_limit(session: &impl GenericClient) -> String {
    let row = session.query_one("show idle_in_transaction_session_timeout", &[]).await;
    row.expect("show").get(0)
}

/// Whether a tick says that another one is at work, and how many jobs it promoted.
async fn busy(worker: &Client) -> (bool, i32) {
    let row = prompt("a tick", tick(worker)).await;
    (row.get("busy"), row.get("promoted"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_tick_at_the_same_time_answers_busy_and_does_nothing() {
    let db = TestDb::with_test_clock().await;
    let (producer, mut first, second) = (db.producer().await, db.worker().await, db.worker().await);
    let delayed = "select fairclaim.dispatch_job($1, 'mail', p_run_at => fairclaim.clock() + interval '1 min')";
    producer.execute(delayed, &[&tenant(1)]).await.expect("dispatch_job");
    db.advance("2 min").await;

    let open = first.transaction().await.expect("begin");
    assert_eq!(tick(&open).await.get::<_, i32>("promoted"), 1);
    for _ in 0..3 {
        let row = prompt("a tick", tick(&second)).await;
        assert!(row.get::<_, bool>("busy"));
        let counts = ["promoted", "returned", "moved", "floors", "closed", "deleted"];
        assert_eq!(counts.map(|name| row.get::<_, i32>(name)), [0; 6]);
    }
    let again = "select next_tick_in = 1 from fairclaim.tick()";
    let row = second.query_one(again, &[]).await.expect("tick");
    assert!(row.get::<_, bool>(0), "it says when to come again");
    open.rollback().await.expect("rollback");
    assert_eq!(busy(&second).await, (false, 1), "what was undone is done by the next one");
}

/// The one wait of this kind: the server counts these ten seconds by its own clock.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_stays_idle_after_a_tick_keeps_the_others_away_for_ten_seconds_at_most() {
    let db = TestDb::new().await;
    let (mut idle, other) = (db.worker().await, db.worker().await);
    dispatch(&db.producer().await, tenant(1), "mail").await;
    let unlimited = idle_limit(&idle).await;
    tick(&idle).await;
    assert_eq!(idle_limit(&idle).await, unlimited, "a tick changes nothing for what comes after");

    let open = idle.transaction().await.expect("begin");
    tick(&open).await;
    assert_eq!(idle_limit(&open).await, "10s");
    assert_eq!(busy(&other).await, (true, 0));
    let limit = Duration::from_secs(40);
    until("the idle session is ended", limit, || async {
        (busy(&other).await == (false, 0)).then_some(())
    })
    .await;
    assert!(open.query("select 1", &[]).await.is_err(), "the server has ended it");
}
