//! Everything is looked at every half second, whoever calls; what is due is done when it is due; nothing is written when there is nothing to do.

use serde_json::json;

use super::{half_a_second, number};
use crate::{
    calls::{claim_jobs, dispatch, dispatch_batch, tenant, tick},
    notify::{Listener, stop_clock},
    support::{Client, TestDb},
};

const ROUNDS: &str = "select max(n) from fairclaim_internal.tick_state";

/// Rounds and promotions within four seconds, in which every worker ticks every 100 ms and a job is due after 1.3 s.
async fn rounds_of(workers: usize) -> (i64, i32) {
    let db = TestDb::with_test_clock().await;
    half_a_second(&db).await;
    stop_clock(&db).await;
    let (producer, owner) = (db.producer().await, db.owner().await);
    let mut fleet = Vec::new();
    for _ in 0..workers.min(10) {
        fleet.push(db.worker().await);
    }
    dispatch(&producer, tenant(1), "nobody_claims_it").await;
    let later = "select fairclaim.dispatch_job($1, 'mail', p_run_at => fairclaim.clock() + interval '1.3 s')";
    producer.execute(later, &[&tenant(2)]).await.expect("dispatch_job");
    tick(&fleet[0]).await;
    let before = number(&owner, ROUNDS).await;
    let mut promoted = 0;
    for step in 1..=40 {
        db.advance("100 ms").await;
        let mut now = 0;
        for n in 0..workers {
            let row = tick(&fleet[n % fleet.len()]).await;
            assert!(!row.get::<_, bool>("busy"), "nobody else is at work");
            now += row.get::<_, i32>("promoted");
        }
        assert_eq!(
            now,
            i32::from(step == 13),
            "a job that is due is promoted then, by whoever calls"
        );
        promoted += now;
    }
    (number(&owner, ROUNDS).await - before, promoted)
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_tickers_look_at_everything_as_often_as_one() {
    let one = rounds_of(1).await;
    // a promotion between two looks has a number of its own
    assert_eq!(one, (9, 1));
    assert_eq!(rounds_of(50).await, one);
}

/// Whether a tick has taken a transaction id, which it does when it locks or writes a row.
async fn writes(worker: &mut Client) -> bool {
    let open = worker.transaction().await.expect("begin");
    tick(&open).await;
    let sql = "select pg_current_xact_id_if_assigned() is not null";
    let wrote = open.query_one(sql, &[]).await.expect(sql).get(0);
    open.commit().await.expect("commit");
    wrote
}

#[tokio::test(flavor = "multi_thread")]
async fn ticks_of_an_idle_fleet_write_nothing() {
    let db = TestDb::with_test_clock().await;
    let (producer, mut worker) = (db.producer().await, db.worker().await);
    tick(&worker).await;
    assert!(!writes(&mut worker).await, "nothing was ever dispatched");
    let batch: Vec<_> =
        (0..20).map(|n| json!({"tenant_id": tenant(n % 3), "type": "mail"})).collect();
    dispatch_batch(&producer, &batch).await;
    let jobs = claim_jobs(&worker, 100, &mut None).await;
    assert_eq!(jobs.len(), 20);
    assert!(writes(&mut worker).await, "jobs run, and their lanes are looked after");
    crate::calls::settle_all(&worker, &jobs, "complete").await;
    for _ in 0..6 {
        db.advance("20 s").await;
        tick(&worker).await;
    }
    for step in ["1 s", "1 s", "1 min"] {
        db.advance(step).await;
        assert!(!writes(&mut worker).await, "nothing is to be done");
    }
    db.advance("2 hours").await;
    assert!(writes(&mut worker).await, "a shared lane goes when it was unused for an hour");
}

/// In how many milliseconds the next tick is wanted.
async fn wanted_in(worker: &Client) -> i64 {
    let sql = "select (next_tick_in * 1000)::int8 from fairclaim.tick()";
    worker.query_one(sql, &[]).await.expect("tick").get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_tick_is_wanted_when_something_can_be_due() {
    let db = TestDb::with_test_clock().await;
    stop_clock(&db).await;
    let (producer, worker) = (db.producer().await, db.worker().await);
    tick(&worker).await;
    assert_eq!(wanted_in(&worker).await, 30_000, "nothing is there");
    let later =
        "select fairclaim.dispatch_job($1, 'mail', p_run_at => fairclaim.clock() + interval '7 s')";
    producer.execute(later, &[&tenant(1)]).await.expect("dispatch_job");
    assert_eq!(wanted_in(&worker).await, 7_000, "a job is due then");
    db.advance("6990 ms").await;
    assert_eq!(wanted_in(&worker).await, 20, "never sooner than this");
    db.advance("10 ms").await;
    assert_eq!(wanted_in(&worker).await, 1_000, "it waits");
    let jobs = claim_jobs(&worker, 1, &mut None).await;
    assert_eq!(jobs.len(), 1);
    for _ in 0..4 {
        db.advance("20 s").await;
        tick(&worker).await;
        let extend = "select accepted from fairclaim.extend_leases('worker', array[$1::uuid], array[$2::int], array[$3::uuid])";
        worker
            .query_one(extend, &[&jobs[0].id, &jobs[0].attempts, &jobs[0].token])
            .await
            .expect("extend_leases");
    }
    let wanted = wanted_in(&worker).await;
    assert!((1_000..=5_020).contains(&wanted), "a lease may end: {wanted} ms");
    db.advance("29 s").await;
    tick(&worker).await;
    // the lease ends in a second
    let mut waited = 0;
    loop {
        let pause = wanted_in(&worker).await;
        db.advance(&format!("{pause} ms")).await;
        waited += pause;
        if tick(&worker).await.get::<_, i32>("returned") == 1 {
            break;
        }
        assert!(waited < 8_000, "not returned {waited} ms later");
    }
    assert!(waited <= 7_000, "returned {waited} ms later, 6 s after its end at most");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_was_committed_long_after_it_was_due_is_promoted_within_half_a_minute() {
    let db = TestDb::with_test_clock().await;
    let (mut app, worker) = (db.producer().await, db.worker().await);
    tick(&worker).await;
    let open = app.transaction().await.expect("begin");
    let soon =
        "select fairclaim.dispatch_job($1, 'mail', p_run_at => fairclaim.clock() + interval '1 s')";
    open.execute(soon, &[&tenant(1)]).await.expect("dispatch_job");
    dispatch(&db.producer().await, tenant(2), "mail").await;
    for _ in 0..5 {
        db.advance("1 min").await;
        assert_eq!(tick(&worker).await.get::<_, i32>("promoted"), 0);
    }
    open.commit().await.expect("commit");
    db.advance("15 s").await;
    assert_eq!(tick(&worker).await.get::<_, i32>("promoted"), 1);
}

/// To the beginning of a quarter of a minute, in which whole indexes are looked at once.
async fn to_the_next_quarter(db: &TestDb) {
    let sql = "select (15000 - fairclaim_internal.millis(fairclaim.clock()) % 15000 + 1000)::text || ' ms'";
    let rest: String = db.owner().await.query_one(sql, &[]).await.expect(sql).get(0);
    db.advance(&rest).await;
}

/// A producer beside a worker that has ticked and says that it will be idle, and what dispatches tell it.
async fn at_rest(db: &TestDb) -> (Client, Client, Listener) {
    stop_clock(db).await;
    half_a_second(db).await;
    let (app, worker) = (db.producer().await, db.worker().await);
    let listener = Listener::new(db).await;
    tick(&worker).await;
    let rest = "select count(*) from fairclaim.claim_jobs('w', null, 1, p_idle_for => 90)";
    worker.query_one(rest, &[]).await.expect(rest);
    (app, worker, listener)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_announced_by_a_late_commit_is_promoted_by_the_tick_that_follows() {
    let db = TestDb::with_test_clock().await;
    let (mut app, worker, mut listener) = at_rest(&db).await;
    let open = app.transaction().await.expect("begin");
    let soon =
        "select fairclaim.dispatch_job($1, 'mail', p_run_at => fairclaim.clock() + interval '5 s')";
    open.execute(soon, &[&tenant(1)]).await.expect("dispatch_job");
    db.advance("2 min").await;
    to_the_next_quarter(&db).await;
    assert_eq!(tick(&worker).await.get::<_, i32>("promoted"), 0);
    db.advance("3 s").await;
    assert_eq!(listener.told().await, (0, 0));
    open.commit().await.expect("commit");
    assert_eq!(listener.told().await, (0, 1), "everybody ticks now");
    assert_eq!(tick(&worker).await.get::<_, i32>("promoted"), 1);
}

/// Nothing announces it: when the job was dispatched, all would have ticked again before it was due.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_no_notification_announced_waits_for_one_tick_of_an_idle_fleet() {
    let db = TestDb::with_test_clock().await;
    let (mut app, worker, mut listener) = at_rest(&db).await;
    let open = app.transaction().await.expect("begin");
    let later = "select fairclaim.dispatch_job($1, 'mail', p_run_at => fairclaim.clock() + interval '40 s')";
    open.execute(later, &[&tenant(1)]).await.expect("dispatch_job");
    for _ in 0..6 {
        assert!(wanted_in(&worker).await <= 30_000);
        db.advance("30 s").await;
    }
    let pause = wanted_in(&worker).await;
    assert!(pause <= 30_000, "{pause}");
    open.commit().await.expect("commit");
    assert_eq!(listener.told().await, (0, 0));
    db.advance(&format!("{pause} ms")).await;
    assert_eq!(tick(&worker).await.get::<_, i32>("promoted"), 1);
}

#[tokio::test]
async fn a_second_tick_in_one_transaction_answers_busy_and_a_job_keeps_its_lane() {
    let db = TestDb::new().await;
    db.own_lanes(5).await;
    let (producer, mut worker, owner) = (db.producer().await, db.worker().await, db.owner().await);
    owner
        .batch_execute("update fairclaim_internal.setting set close_delay = '0'")
        .await
        .expect("close_delay");
    let job = || json!({"tenant_id": tenant(1), "type": "mail", "priority": 5});
    dispatch_batch(&producer, &[job()]).await;
    let jobs = claim_jobs(&worker, 1, &mut None).await;
    crate::calls::settle_all(&worker, &jobs, "complete").await;
    let open = worker.transaction().await.expect("begin");
    assert_eq!(tick(&open).await.get::<_, i32>("closed"), 1);
    assert!(tick(&open).await.get::<_, bool>("busy"));
    dispatch_batch(&producer, &[job()]).await; // into the lane that it still sees open
    for _ in 0..2 {
        let row = tick(&open).await;
        assert!(row.get::<_, bool>("busy"));
        assert_eq!(row.get::<_, i32>("deleted"), 0);
    }
    open.commit().await.expect("commit");
    let stray = "select count(*) from fairclaim_internal.ready y where not exists (select from fairclaim_internal.lane l where l.lane_id = y.lane_id)";
    for _ in 0..4 {
        assert_eq!(number(&owner, stray).await, 0);
        tick(&worker).await;
    }
    assert_eq!(claim_jobs(&worker, 10, &mut None).await.len(), 1);
}

/// A slow transaction of many types: ticks pass it, and when it has ended the very next one gives all its jobs back.
#[tokio::test(flavor = "multi_thread")]
async fn jobs_of_a_slow_transaction_wait_for_one_tick_however_many_types_they_are_of() {
    const TYPES: usize = 60;
    let db = TestDb::with_test_clock().await;
    let (mut slow, producer) = (db.producer().await, db.producer().await);
    let (worker, owner) = (db.worker().await, db.owner().await);
    let each: Vec<_> = (0..TYPES)
        .map(|n| json!({"tenant_id": tenant(n as u128), "type": format!("t{n}")}))
        .collect();
    dispatch_batch(&producer, &each).await;
    let open = slow.transaction().await.expect("begin");
    dispatch_batch(&open, &each).await;
    // floors of so many lanes move when 1,500 numbers are behind them
    let many: Vec<_> =
        (1000..2600).map(|n| json!({"tenant_id": tenant(n), "type": "t0"})).collect();
    dispatch_batch(&producer, &many).await;
    let mut cursor = None;
    let claimed = claim_jobs(&worker, 1000, &mut cursor).await.len()
        + claim_jobs(&worker, 1000, &mut cursor).await.len();
    assert_eq!(claimed, 1600 + TYPES);
    for _ in 0..3 {
        tick(&worker).await;
        db.advance("2 s").await;
    }
    tick(&worker).await;
    open.commit().await.expect("commit");
    let below = "select count(*) from fairclaim_internal.ready y join fairclaim_internal.lane l using (lane_id) where y.seq < l.floor";
    assert_eq!(number(&owner, below).await, i64::try_from(TYPES).expect("small"), "the hard case");
    tick(&worker).await;
    assert_eq!(number(&owner, below).await, 0);
    assert_eq!(number(&owner, "select count(*) from fairclaim_internal.renewal").await, 0);
    assert_eq!(claim_jobs(&worker, 1000, &mut None).await.len(), TYPES);
}
