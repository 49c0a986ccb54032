//! Room under a tenant's limit: whoever makes some wakes the workers that found the tenant at its limit and went to sleep, since no
//! dispatch does. The clock of these tests stands still.

use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::{
    calls::{Claimed, claim_jobs, dispatch_many, settle, settle_after, settle_all, tenant, tick},
    notify::{Listener, stop_clock},
    support::{Client, TestDb},
};

/// A tenant at its limit with jobs that wait for it, and a worker that has gone to sleep.
struct Scene {
    db: TestDb,
    listener: Listener,
    producer: Client,
    worker: Client,
    /// What runs, as many as the limit allows.
    held: Vec<Claimed>,
}

const LIMITED: u128 = 1;

/// What every change of a limit leaves for the next tick.
const NOTE: &str = "insert into fairclaim_internal.limit_note default values";

impl Scene {
    async fn new(limit: i32) -> Self {
        let db = TestDb::with_test_clock().await;
        stop_clock(&db).await;
        let (listener, producer, worker) =
            (Listener::new(&db).await, db.producer().await, db.worker().await);
        let mut scene = Self { db, listener, producer, worker, held: Vec::new() };
        scene.limit(limit).await;
        scene.ticks(4).await;
        dispatch_many(&scene.producer, tenant(LIMITED), "default", "mail", 60).await;
        scene.fall_asleep().await;
        scene
    }

    async fn limit(&self, limit: i32) {
        let sql =
            "insert into fairclaim_internal.running_limit (subject, tenant_id, queue, max_running) values ('tenant', $1, '', $2)
                   on conflict (tenant_id, queue, subject) do update set max_running = excluded.max_running";
        let owner = self.db.owner().await;
        owner.execute(sql, &[&tenant(LIMITED), &limit]).await.expect("a limit");
        owner.batch_execute(NOTE).await.expect("a note");
    }

    async fn ticks(&self, n: usize) {
        for _ in 0..n {
            self.db.advance("1 s").await;
            tick(&self.worker).await;
        }
    }

    /// Takes what the limit allows, says that it will be idle, and forgets what was told until then.
    async fn fall_asleep(&mut self) {
        let claim =
            "select count(*) from fairclaim.claim_jobs('sleeper', null, 100, p_idle_for => 60)";
        loop {
            let got = claim_jobs(&self.worker, 100, &mut None).await;
            if got.is_empty() {
                break;
            }
            self.held.extend(got);
        }
        let none: i64 = self.worker.query_one(claim, &[]).await.expect("claim_jobs").get(0);
        assert_eq!(none, 0);
        self.listener.told().await;
    }

    async fn wakes(&mut self) -> usize {
        self.listener.told().await.0
    }
}

#[tokio::test]
async fn a_settlement_that_makes_room_under_a_limit_wakes_whoever_sleeps() {
    let mut scene = Scene::new(10).await;
    assert_eq!(scene.held.len(), 10);
    for (outcome, delay) in [
        ("complete", None),
        ("retry", Some(900.0)),
        ("snooze", Some(900.0)),
        ("fail", None),
        ("cancel", None),
    ] {
        let job = scene.held.pop().expect("a job");
        assert!(settle_after(&scene.worker, &job, outcome, delay).await.accepted, "{outcome}");
        assert_eq!(scene.wakes().await, 1, "{outcome}");
        scene.fall_asleep().await;
        assert_eq!(scene.held.len(), 10, "{outcome}: another one was waiting");
    }
    let plain = "select kind = 'settled' from fairclaim.settle_jobs('worker', $1, $2, $3, array['complete', 'complete'])";
    let full = "select kind = 'settled' from fairclaim.settle_jobs('worker', $1, $2, $3, array['complete', 'complete'], array['1', '2'])";
    for sql in [plain, full] {
        let two = scene.held.split_off(8);
        let ids: Vec<Uuid> = two.iter().map(|job| job.id).collect();
        let attempts: Vec<i32> = two.iter().map(|job| job.attempts).collect();
        let tokens: Vec<Uuid> = two.iter().map(|job| job.token).collect();
        let values: [&(dyn ToSql + Sync); 3] = [&ids, &attempts, &tokens];
        let rows = scene.worker.query(sql, &values).await.expect(sql);
        assert!(rows.iter().all(|row| row.get(0)), "{sql}");
        assert_eq!(scene.wakes().await, 1, "{sql}");
        scene.fall_asleep().await;
    }
}

#[tokio::test]
async fn a_settlement_wakes_nobody_where_nothing_waits_for_its_room() {
    let mut scene = Scene::new(10).await;
    // the limit is lower by now: three must end before there is room
    scene.limit(8).await;
    for (left, wakes) in [(9, 0), (8, 0), (7, 1)] {
        let job = scene.held.pop().expect("a job");
        settle(&scene.worker, &job, "complete").await;
        assert_eq!((scene.held.len(), scene.wakes().await), (left, wakes));
    }
    // a stale one frees nothing
    let gone = scene.held.pop().expect("a job");
    settle(&scene.worker, &gone, "complete").await;
    scene.fall_asleep().await;
    settle(&scene.worker, &gone, "complete").await;
    assert_eq!(scene.wakes().await, 0, "a stale one");

    // another tenant without a limit, and the limited one when nothing of it waits
    dispatch_many(&scene.producer, tenant(2), "default", "mail", 3).await;
    let others = claim_jobs(&scene.worker, 3, &mut None).await;
    scene.fall_asleep().await;
    settle_all(&scene.worker, &others[..1], "complete").await;
    settle(&scene.worker, &others[1], "fail").await;
    settle_all(&scene.worker, &others[2..], "complete").await;
    assert_eq!(scene.wakes().await, 0, "a tenant without a limit");
    while !scene.held.is_empty() {
        settle_all(&scene.worker, &std::mem::take(&mut scene.held), "complete").await;
        scene.fall_asleep().await;
    }
    dispatch_many(&scene.producer, tenant(LIMITED), "default", "mail", 1).await;
    scene.fall_asleep().await;
    let last = scene.held.pop().expect("the last job");
    settle(&scene.worker, &last, "complete").await;
    assert_eq!(scene.wakes().await, 0, "nothing of it waits");
}

#[tokio::test]
async fn a_settlement_that_claims_too_wakes_others_only_for_what_it_leaves() {
    let mut scene = Scene::new(2).await;
    let exchange = "select kind from fairclaim.settle_and_claim('worker', array[$1::uuid], array[$2::int], array[$3::uuid],
                      array['complete'], null, null, null, array[$4::text], $5::int)";
    for (queue, limit, claimed, wakes) in
        [("default", 1, 1, 0), ("other", 1, 0, 1), ("default", 0, 0, 1), ("default", 1, 1, 0)]
    {
        let job = scene.held.pop().expect("a job");
        let values: [&(dyn ToSql + Sync); 5] = [&job.id, &job.attempts, &job.token, &queue, &limit];
        let rows = scene.worker.query(exchange, &values).await.expect("settle_and_claim");
        let kinds: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
        assert_eq!(kinds.iter().filter(|kind| **kind == "claimed").count(), claimed, "{queue}");
        assert_eq!(scene.wakes().await, wakes, "{queue}, a claim of {limit}");
        scene.fall_asleep().await;
        if claimed == 1 {
            // what the call took is held by nobody here: free it in the plain way
            let free = "select count(*) from fairclaim.release_worker('worker')";
            scene.db.operator().await.execute(free, &[]).await.expect("release_worker");
            scene.held.clear();
            scene.fall_asleep().await;
        }
        assert_eq!(scene.held.len(), 2);
    }
}

#[tokio::test]
async fn whatever_else_frees_a_limited_job_wakes_too() {
    let mut scene = Scene::new(2).await;
    let operator = scene.db.operator().await;
    // jobs that end instead of waiting again: somebody has asked to cancel them
    for sql in [
        "select count(*) from fairclaim.release_jobs(null, array[$1::uuid])",
        "select count(*) from fairclaim.release_worker('worker', 1) r where r.id <> $1 or true",
    ] {
        let ids: Vec<Uuid> = scene.held.iter().map(|job| job.id).collect();
        operator
            .execute("select fairclaim.cancel_jobs(null, $1)", &[&ids])
            .await
            .expect("cancel_jobs");
        scene.fall_asleep().await;
        operator.query_one(sql, &[&ids[0]]).await.expect(sql);
        assert_eq!(scene.wakes().await, 1, "{sql}");
        operator.execute("select fairclaim.release_jobs(null, $1)", &[&ids]).await.expect("rest");
        scene.held.clear();
        scene.fall_asleep().await;
        assert_eq!(scene.held.len(), 2);
    }
    let tokens: Vec<Uuid> = scene.held.iter().map(|job| job.token).collect();
    let release = "select count(*) from fairclaim.release_claims('worker', $1)";
    scene.worker.query_one(release, &[&tokens]).await.expect("release_claims");
    assert_eq!(scene.wakes().await, 1, "a claim that was given back");
    scene.held.clear();
    scene.fall_asleep().await;

    // a third loss ends a job: what a tick takes from a dead worker makes room for another
    let lost = "update fairclaim_internal.running set lost = 2, lease_expires_at = fairclaim.clock() - interval '1 s'";
    assert_eq!(scene.db.owner().await.execute(lost, &[]).await.expect("leases that ended"), 2);
    scene.ticks(6).await;
    assert!(scene.wakes().await >= 1, "leases that ended");
}

#[tokio::test]
async fn a_limit_that_is_raised_lifted_or_in_effect_wakes_at_the_next_tick() {
    let mut scene = Scene::new(2).await;
    scene.ticks(2).await;
    scene.fall_asleep().await;
    scene.ticks(2).await;
    assert_eq!(scene.wakes().await, 0, "nothing has changed");
    scene.limit(4).await;
    scene.ticks(1).await;
    assert_eq!(scene.wakes().await, 1, "raised");
    scene.fall_asleep().await;
    assert_eq!(scene.held.len(), 4);

    scene
        .db
        .owner()
        .await
        .batch_execute(&format!("delete from fairclaim_internal.running_limit; {NOTE}"))
        .await
        .expect("no limit");
    scene.ticks(1).await;
    assert_eq!(scene.wakes().await, 1, "lifted");
    scene.fall_asleep().await;
    assert_eq!(scene.held.len(), 60);

    // until a new limit is in effect, none of the tenant's jobs is claimed
    dispatch_many(&scene.producer, tenant(LIMITED), "default", "mail", 20).await;
    scene.limit(70).await;
    scene.fall_asleep().await;
    assert_eq!(scene.held.len(), 60);
    scene.ticks(1).await;
    scene.listener.told().await; // that it is there at all
    let active = "select bool_and(b.active) from fairclaim_internal.running_limit b";
    let mut woken = 0;
    for _ in 0..6 {
        scene.ticks(1).await;
        woken += scene.wakes().await;
    }
    assert!(scene.db.owner().await.query_one(active, &[]).await.expect("limits").get::<_, bool>(0));
    assert_eq!(woken, 1, "in effect");
    scene.fall_asleep().await;
    assert_eq!(scene.held.len(), 70);
}

/// The notes of a settlement are settings of its transaction, which anybody may set in his own session.
#[tokio::test]
async fn what_a_session_has_set_itself_disturbs_no_settlement() {
    let scene = Scene::new(10).await;
    let forged = "set fairclaim.noted = 'mine'; set fairclaim.freed = 'mine'";
    scene.worker.batch_execute(forged).await.expect(forged);
    assert_eq!(scene.held.len(), 10);
    settle_all(&scene.worker, &scene.held, "complete").await;
}

/// A settlement cannot reach a lane that a tick is about to change. The tick after it does, and nobody else would wake workers.
#[tokio::test]
async fn a_tick_that_brings_a_tenant_back_wakes_whoever_sleeps() {
    let mut scene = Scene::new(2).await;
    scene.ticks(3).await;
    let owner = scene.db.owner().await;
    let ended = "delete from fairclaim_internal.running";
    assert_eq!(owner.execute(ended, &[]).await.expect(ended), 2);
    scene.held.clear();
    scene.fall_asleep().await;
    assert_eq!(scene.held.len(), 0, "its lanes are not walked");
    scene.ticks(1).await;
    assert_eq!(scene.wakes().await, 1);
    scene.fall_asleep().await;
    assert_eq!(scene.held.len(), 2);
}
