//! Nobody waits for an application: a transaction of somebody else's that stays open delays nobody but itself.
//!
//! Nothing here depends on how long a transaction is open in seconds, only on how many ticks pass meanwhile and on leases
//! that expire, so the minute of a slow application is a few ticks and a moved clock.

use std::{future::Future, time::Duration};

use serde_json::{Value, json};
use tokio_postgres::{Client, GenericClient};
use uuid::Uuid;

use crate::{
    calls::{Claimed, dispatch_batch, dispatch_object, settle, tenant, tick},
    support::TestDb,
};

/// What the protocol promises: others' jobs start within this time, whoever is open.
const PROMPT: Duration = Duration::from_secs(2);

/// More ticks than a holder of the lock on `ready` may be old before tick passes it.
const TICKS: usize = 6;

/// The result, unless it waits for somebody.
async fn prompt<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PROMPT, future)
        .await
        .unwrap_or_else(|_| panic!("{what} waits for an open transaction"))
}

/// A tick that did its work, within the time.
async fn prompt_tick(worker: &Client) {
    let row = prompt("a tick", tick(worker)).await;
    assert!(!row.get::<_, bool>("busy"), "an open transaction keeps ticks away");
}

/// Claims within the time, with the default lease of 30 s.
async fn prompt_claims(worker: &Client, limit: i32) -> Vec<Claimed> {
    let claim = "select * from fairclaim.claim_jobs('worker', null, $1)";
    let rows = prompt("a claim", worker.query(claim, &[&limit])).await.expect("claim_jobs");
    rows.iter().map(Claimed::from).collect()
}

async fn prompt_claim(worker: &Client) -> Option<Claimed> {
    prompt_claims(worker, 1).await.pop()
}

async fn prompt_dispatch(producer: &impl GenericClient, job: &Value) -> Uuid {
    prompt("a dispatch", dispatch_object(producer, job.clone())).await
}

/// One dispatcher opens the lane of a key and stays open; others use the key meanwhile, again and again.
async fn open_dispatcher(job: Value) {
    let db = TestDb::new().await;
    let (mut slow, other, worker) = (db.producer().await, db.producer().await, db.worker().await);
    let open = slow.transaction().await.expect("begin");
    let late = dispatch_object(&open, job.clone()).await;

    for round in 0..TICKS {
        let single = prompt_dispatch(&other, &job).await;
        let claimed =
            prompt_claim(&worker).await.unwrap_or_else(|| panic!("round {round}: not claimable"));
        assert_eq!(claimed.id, single);
        assert!(prompt("a settlement", settle(&worker, &claimed, "complete")).await.accepted);
        let bulk = prompt("a batch", dispatch_batch(&other, &vec![job.clone(); 9])).await;
        let got = prompt_claims(&worker, 100).await;
        assert_eq!(sorted(got.iter().map(|job| job.id)), sorted(bulk), "round {round}");
        prompt_tick(&worker).await;
    }

    open.commit().await.expect("commit");
    prompt_tick(&worker).await;
    let last = prompt_claim(&worker)
        .await
        .expect("the job of the slow dispatcher is claimable after its commit");
    assert_eq!(last.id, late);
}

fn sorted(ids: impl IntoIterator<Item = Uuid>) -> Vec<Uuid> {
    let mut ids: Vec<Uuid> = ids.into_iter().collect();
    ids.sort_unstable();
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_dispatcher_of_an_own_lane_delays_nobody() {
    open_dispatcher(json!({"tenant_id": tenant(1), "type": "mail", "priority": 7})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_dispatcher_of_a_shared_lane_delays_nobody() {
    open_dispatcher(json!({"tenant_id": tenant(1), "type": "mail"})).await;
}

/// The very first dispatches of a key, by several transactions at once, in both isolation levels.
#[tokio::test(flavor = "multi_thread")]
async fn a_first_dispatch_does_not_wait_for_another_first_dispatch() {
    let db = TestDb::new().await;
    let worker = db.worker().await;
    let mut clients = Vec::new();
    for _ in 0..6 {
        clients.push(db.producer().await);
    }
    let mut ids = Vec::new();
    for (n, client) in clients.iter().enumerate() {
        let level = if n % 2 == 0 { "read committed" } else { "repeatable read" };
        client.batch_execute(&format!("begin isolation level {level}")).await.expect("begin");
        for priority in [0, 3] {
            let job = json!({"tenant_id": tenant(1), "type": "mail", "priority": priority});
            ids.push(prompt_dispatch(client, &job).await);
        }
    }
    assert_eq!(prompt_claim(&worker).await.map(|job| job.id), None, "nothing is committed");
    for client in &clients {
        client.batch_execute("commit").await.expect("commit");
    }
    let got = prompt_claims(&worker, 100).await;
    assert_eq!(sorted(got.iter().map(|job| job.id)), sorted(ids));
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_leases_return_while_a_dispatcher_is_open() {
    let db = TestDb::with_test_clock().await;
    let (mut slow, producer, worker) =
        (db.producer().await, db.producer().await, db.worker().await);
    let job = json!({"tenant_id": tenant(1), "type": "mail"});
    let id = dispatch_object(&producer, job.clone()).await;
    let first = prompt_claim(&worker).await.expect("the job");
    let open = slow.transaction().await.expect("begin");
    dispatch_object(&open, job).await;

    db.advance("36 s").await;
    let row = prompt("a tick", tick(&worker)).await;
    assert_eq!(row.get::<_, i32>("returned"), 1, "the lease expired 6 s ago");
    let again = prompt_claim(&worker).await.expect("the job whose lease expired");
    assert_eq!((again.id, again.attempts, again.lost), (id, first.attempts + 1, 1));
    assert!(!prompt("a stale settlement", settle(&worker, &first, "complete")).await.accepted);
    assert!(prompt("a settlement", settle(&worker, &again, "complete")).await.accepted);
    open.rollback().await.expect("rollback");
}

/// Extends all leases by 30 s; whether each was accepted, in the order of the jobs.
async fn prompt_heartbeat(worker: &Client, jobs: &[Claimed]) -> Vec<bool> {
    let ids: Vec<Uuid> = jobs.iter().map(|job| job.id).collect();
    let attempts: Vec<i32> = jobs.iter().map(|job| job.attempts).collect();
    let tokens: Vec<Uuid> = jobs.iter().map(|job| job.token).collect();
    let rows = prompt(
        "a heartbeat",
        worker.query(
            "select id, accepted from fairclaim.extend_leases('worker', $1, $2, $3)",
            &[&ids, &attempts, &tokens],
        ),
    )
    .await
    .expect("extend_leases");
    let accepted = |id: &Uuid| rows.iter().any(|row| row.get::<_, Uuid>(0) == *id && row.get(1));
    ids.iter().map(accepted).collect()
}

/// A transaction that has settled a job and is open past its lease: what goes on meanwhile, and what it ends as.
async fn open_settler(commit: bool) {
    let db = TestDb::with_test_clock().await;
    let (producer, mut slow, worker) = (db.producer().await, db.worker().await, db.worker().await);
    let owner = db.owner().await;
    let job = json!({"tenant_id": tenant(1), "type": "mail"});
    dispatch_batch(&producer, &vec![job; 4]).await;
    let jobs = prompt_claims(&worker, 4).await;
    let open = slow.transaction().await.expect("begin");
    assert!(settle(&open, &jobs[0], "complete").await.accepted);

    for _ in 0..TICKS {
        db.advance("20 s").await; // in the end four leases long
        assert_eq!(
            prompt_heartbeat(&worker, &jobs).await,
            [true; 4],
            "the settled one counts as held"
        );
        let row = prompt("a tick", tick(&worker)).await;
        assert!(!row.get::<_, bool>("busy"));
        assert_eq!(
            row.get::<_, i32>("returned"),
            0,
            "the others were extended, the settled one is locked"
        );
    }
    let ids = vec![jobs[0].id];
    let cancel = "select status from fairclaim.cancel_jobs($1, $2)";
    let cancelled = prompt("a cancel", producer.query(cancel, &[&tenant(1), &ids])).await;
    cancelled.expect("cancel_jobs");
    for job in &jobs[1..] {
        assert!(prompt("a settlement", settle(&worker, job, "complete")).await.accepted);
    }

    if commit {
        open.commit().await.expect("commit");
    } else {
        open.rollback().await.expect("rollback");
    }
    db.advance("6 s").await;
    let row = prompt("a tick", tick(&worker)).await;
    assert_eq!(
        row.get::<_, i32>("returned"),
        i32::from(!commit),
        "a settlement that was undone leaves an expired lease"
    );
    let finished: i64 = owner
        .query_one("select count(*) from fairclaim.finished where status = 'completed'", &[])
        .await
        .expect("count")
        .get(0);
    assert_eq!(finished, if commit { 4 } else { 3 });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_settling_transaction_open_past_its_lease_delays_nobody() {
    open_settler(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_settling_transaction_that_is_undone_gives_its_job_back() {
    open_settler(false).await;
}

/// An open dispatcher, an open settlement and an open reader of `job`, while ticks add ranges and time goes into them.
#[tokio::test(flavor = "multi_thread")]
async fn ranges_are_added_while_everybody_stays_open() {
    let db = TestDb::with_test_clock().await;
    let (mut slow, mut settler, mut reader) =
        (db.producer().await, db.worker().await, db.auditor().await);
    let (producer, worker, owner) = (db.producer().await, db.worker().await, db.owner().await);
    let job = json!({"tenant_id": tenant(1), "type": "mail"});
    dispatch_object(&producer, job.clone()).await;
    let claimed = prompt_claim(&worker).await.expect("the job");

    let open = slow.transaction().await.expect("begin");
    let late = dispatch_object(&open, job.clone()).await;
    let settling = settler.transaction().await.expect("begin");
    assert!(settle(&settling, &claimed, "complete").await.accepted);
    let reading = reader.transaction().await.expect("begin");
    reading.query("select * from fairclaim.job", &[]).await.expect("read");

    let before = ranges(&owner).await;
    for day in 0..10 {
        db.advance("1 day").await;
        prompt_tick(&worker).await;
        let id = prompt_dispatch(&producer, &job).await;
        let claimed =
            prompt_claim(&worker).await.unwrap_or_else(|| panic!("day {day}: not claimable"));
        assert_eq!(claimed.id, id);
        assert!(prompt("a settlement", settle(&worker, &claimed, "complete")).await.accepted);
    }
    let after = ranges(&owner).await;
    assert!(after.0 > before.0, "no range was added beside open transactions");
    assert!(after.1, "the ranges reach beyond the clock");

    reading.rollback().await.expect("rollback");
    settling.commit().await.expect("commit");
    open.commit().await.expect("commit");
    prompt_tick(&worker).await;
    assert_eq!(prompt_claim(&worker).await.expect("the job of the slow dispatcher").id, late);
}

/// How many ranges there are, and whether they reach beyond the clock.
async fn ranges(owner: &Client) -> (i64, bool) {
    let row = owner
        .query_one(
            "select count(*), max(r.ends_at) > fairclaim.clock() from fairclaim.id_range r",
            &[],
        )
        .await
        .expect("ranges");
    (row.get(0), row.get(1))
}
