//! Ticks that do not run, and whoever is in their way.

use fairclaim::Level;

use super::{assert_found, examine, find, ticked};
use crate::{
    calls::{claim_job, dispatch, tenant, tick},
    support::{TestDb, waiting::process_of},
};

#[tokio::test(flavor = "multi_thread")]
async fn ticks_that_stopped_are_told_with_who_should_call_them() {
    let db = TestDb::with_test_clock().await;
    assert_found(
        &examine(&db, "test_operator").await,
        "ticks",
        Level::Warning,
        &["none has run yet", "no session"],
    );
    let worker = db.worker().await;
    tick(&worker).await;
    assert_found(
        &examine(&db, "test_operator").await,
        "ticks",
        Level::Ok,
        &["a session of a worker"],
    );
    db.advance("2 minutes").await;
    assert_found(&examine(&db, "test_operator").await, "ticks", Level::Warning, &["ago"]);
    db.advance("5 hours").await;
    assert_found(&examine(&db, "test_operator").await, "ticks", Level::Error, &["5 h ago"]);
    tick(&worker).await;
    assert_found(&examine(&db, "test_operator").await, "ticks", Level::Ok, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn leases_that_expired_and_were_not_returned_are_told() {
    let db = TestDb::with_test_clock().await;
    let worker = db.worker().await;
    dispatch(&db.producer().await, tenant(1), "mail").await;
    claim_job(&worker, "w").await.expect("a job");
    assert_found(&examine(&db, "test_operator").await, "leases", Level::Ok, &["1 job running"]);
    db.advance("5 hours").await;
    assert_found(
        &examine(&db, "test_operator").await,
        "leases",
        Level::Warning,
        &["1 job not returned", "5 h ago"],
    );
    tick(&worker).await;
    assert_found(&examine(&db, "test_operator").await, "leases", Level::Ok, &["0 jobs running"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_transaction_is_told_to_whoever_may_see_it() {
    let db = TestDb::with_test_clock().await;
    let session = db.producer().await;
    session
        .batch_execute("begin; set application_name = 'forgotten'; select 1")
        .await
        .expect("begin");
    assert_found(&examine(&db, "test_owner").await, "long_transaction", Level::Ok, &[]);
    db.advance("5 hours").await;
    let process = process_of(&session).await.to_string();
    assert_found(
        &examine(&db, "test_owner").await,
        "long_transaction",
        Level::Warning,
        &[&format!("pid {process} "), "test_producer", "forgotten", "idle in transaction", "5 h"],
    );
    // a login that may not see it says so, instead of saying that all is well and nothing else
    let diagnosis = examine(&db, "test_operator").await;
    assert_found(&diagnosis, "long_transaction", Level::Ok, &["that this login sees"]);
    assert_found(&diagnosis, "unseen", Level::Note, &["its own sessions only"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispatcher_that_holds_floors_back_is_told_by_its_process() {
    let db = TestDb::with_test_clock().await;
    let producer = db.producer().await;
    producer.batch_execute("begin").await.expect("begin");
    dispatch(&producer, tenant(1), "mail").await;
    let worker = db.worker().await;
    tick(&worker).await;
    assert_found(&examine(&db, "test_owner").await, "floors", Level::Ok, &[]);
    db.advance("400 s").await;
    let process = process_of(&producer).await;
    assert_found(
        &examine(&db, "test_owner").await,
        "floors",
        Level::Warning,
        &[&format!("pid {process} of test_producer"), "for 7 min"],
    );
    producer.batch_execute("commit").await.expect("commit");
    tick(&worker).await;
    assert_found(&examine(&db, "test_owner").await, "floors", Level::Ok, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tick_whose_transaction_stays_open_is_told_by_its_process() {
    let db = TestDb::with_test_clock().await;
    let (worker, mut idle) = (db.worker().await, db.worker().await);
    dispatch(&db.producer().await, tenant(1), "mail").await;
    let process = process_of(&idle).await;
    let open = idle.transaction().await.expect("begin");
    tick(&open).await;
    open.batch_execute("set local idle_in_transaction_session_timeout = 0").await.expect("set");
    assert_found(&examine(&db, "test_owner").await, "open_ticks", Level::Ok, &[]);
    db.advance("1 min").await;
    assert!(!tick(&worker).await.get::<_, bool>("busy"));
    assert_found(
        &examine(&db, "test_owner").await,
        "open_ticks",
        Level::Warning,
        &[&format!("pid {process} of test_worker")],
    );
    assert_found(&examine(&db, "test_operator").await, "open_ticks", Level::Warning, &[]);
    open.rollback().await.expect("rollback");
    tick(&worker).await;
    assert_found(&examine(&db, "test_operator").await, "open_ticks", Level::Ok, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_of_tick_that_fails_is_told_with_its_code() {
    let (db, owner) = ticked().await;
    dispatch(&db.producer().await, tenant(1), "mail").await;
    assert_found(&examine(&db, "test_operator").await, "tick_steps", Level::Ok, &[]);
    owner.batch_execute("begin; lock table fairclaim_internal.renewal").await.expect("lock");
    let worker = db.worker().await;
    tick(&worker).await;
    owner.batch_execute("rollback").await.expect("rollback");
    assert_found(
        &examine(&db, "test_operator").await,
        "tick_steps",
        Level::Warning,
        &["renew", "55P03"],
    );
    tick(&worker).await;
    assert_found(&examine(&db, "test_operator").await, "tick_steps", Level::Ok, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_that_begin_again_are_told() {
    let db = TestDb::with_test_clock().await;
    let (producer, worker, owner) = (db.producer().await, db.worker().await, db.owner().await);
    for n in 0..5 {
        dispatch(&producer, tenant(n), "mail").await;
    }
    tick(&worker).await;
    assert_found(&examine(&db, "test_operator").await, "numbers", Level::Ok, &[]);
    owner.batch_execute("select setval('fairclaim_internal.ready_seq', 1)").await.expect("setval");
    let diagnosis = examine(&db, "test_operator").await;
    assert_found(&diagnosis, "numbers", Level::Error, &["4 behind"]);
    tick(&worker).await;
    let diagnosis = examine(&db, "test_operator").await;
    assert_found(&diagnosis, "numbers", Level::Warning, &["was behind"]);
    db.advance("2 days").await;
    assert_found(&examine(&db, "test_operator").await, "numbers", Level::Ok, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_without_a_lane_are_told() {
    let (db, owner) = ticked().await;
    let producer = db.producer().await;
    for _ in 0..3 {
        dispatch(&producer, tenant(1), "mail").await;
    }
    assert_found(&examine(&db, "test_operator").await, "strays", Level::Ok, &[]);
    owner.batch_execute("delete from fairclaim_internal.lane").await.expect("delete");
    assert_found(
        &examine(&db, "test_operator").await,
        "strays",
        Level::Warning,
        &["3 waiting jobs"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_mostly_air_is_told() {
    let (db, owner) = ticked().await;
    assert_eq!(
        find(&examine(&db, "test_operator").await, "bloat").map(|f| f.level),
        Some(Level::Ok)
    );
    // nearly empty pages, so that few rows make a large table
    owner
        .batch_execute(
            "alter table fairclaim_internal.floor_hint set (fillfactor = 10);
             insert into fairclaim_internal.floor_hint (lane_id) select 1 from generate_series(1, 200000)",
        )
        .await
        .expect("a large table");
    owner.batch_execute("delete from fairclaim_internal.floor_hint").await.expect("delete");
    owner.batch_execute("analyze fairclaim_internal.floor_hint").await.expect("analyze");
    assert_found(
        &examine(&db, "test_operator").await,
        "bloat",
        Level::Warning,
        &["floor_hint", "for 0 rows"],
    );
}

/// Vacuum gives back the pages of a table that are empty at its end; an index keeps all that it ever had.
#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_is_mostly_air_is_told_when_its_table_is_small_again() {
    let (db, owner) = ticked().await;
    // nearly empty pages, so that few rows make a large index
    owner
        .batch_execute(
            "alter index fairclaim_internal.scheduled_pkey set (fillfactor = 10);
             insert into fairclaim_internal.scheduled (run_at, id, tenant_id, attempts, attempts_left, lost, watched)
             select fairclaim.clock() + g * interval '1 s', gen_random_uuid(), gen_random_uuid(), 0, 1, 0, false
               from generate_series(1, 220000) g",
        )
        .await
        .expect("a large index");
    owner.batch_execute("delete from fairclaim_internal.scheduled").await.expect("delete");
    owner.batch_execute("vacuum analyze fairclaim_internal.scheduled").await.expect("vacuum");
    let size = "select pg_table_size('fairclaim_internal.scheduled')";
    let size: i64 = owner.query_one(size, &[]).await.expect(size).get(0);
    assert!(size < 1 << 20, "the table itself is small: {size} bytes");
    assert_found(
        &examine(&db, "test_operator").await,
        "bloat",
        Level::Warning,
        &["scheduled: 0 MiB and ", " MiB of indexes for 0 rows"],
    );
}
