//! Ten ways in which an early form of the storage went wrong, one test each. Every test fails on that form.

mod protocol;

use serde_json::json;
use uuid::Uuid;

use crate::{
    calls::{
        Claimed, claim_job, claim_jobs, dispatch, dispatch_batch, dispatch_many, dispatch_object,
        settle_all, tenant, tick,
    },
    support::{Client, TestDb},
};

async fn count(owner: &Client, sql: &str) -> i64 {
    owner.query_one(sql, &[]).await.expect("count").get(0)
}

async fn ticks(worker: &Client, n: usize) {
    for _ in 0..n {
        tick(worker).await;
    }
}

async fn limit(owner: &Client, tenant: Uuid, max_running: i32) {
    owner
        .execute(
            "insert into fairclaim_internal.running_limit (subject, tenant_id, queue, max_running) values ('tenant', $1, '', $2)",
            &[&tenant, &max_running],
        )
        .await
        .expect("set a limit");
}

/// Claims one at a time, settles each, and tells them.
async fn claim_one_by_one(worker: &Client, n: usize) -> Vec<Claimed> {
    let mut cursor = None;
    let mut all = Vec::new();
    for _ in 0..n {
        let jobs = claim_jobs(worker, 1, &mut cursor).await;
        settle_all(worker, &jobs, "complete").await;
        all.extend(jobs);
    }
    all
}

/// H1: the cursor stayed on the first queue for as long as that had work.
#[tokio::test(flavor = "multi_thread")]
async fn h1_a_queue_that_never_runs_dry_does_not_starve_the_next() {
    for size in [1, 10] {
        let db = TestDb::new().await;
        let (producer, worker) = (db.producer().await, db.worker().await);
        dispatch_many(&producer, tenant(1), "always-full", "mail", 400).await;
        dispatch_many(&producer, tenant(1), "other", "mail", 5 * size).await;
        let mut cursor = None;
        let mut served = 0;
        for _ in 0..12 {
            let jobs = claim_jobs(&worker, size, &mut cursor).await;
            served += jobs.iter().filter(|job| job.queue == "other").count();
        }
        assert_eq!(
            served,
            5 * usize::try_from(size).expect("size"),
            "every other call starts at the other queue"
        );
    }
}

/// H2: shared lanes lived for ever, and every tick looked at all of them.
#[tokio::test(flavor = "multi_thread")]
async fn h2_shared_lanes_that_nobody_uses_go_away_and_ticks_look_at_slices() {
    let db = TestDb::with_test_clock().await;
    let (producer, worker, owner) = (db.producer().await, db.worker().await, db.owner().await);
    let jobs: Vec<_> =
        (0..450).map(|n| json!({"tenant_id": tenant(1), "type": format!("type{n}"), "queue": format!("q{n}")})).collect();
    dispatch_batch(&producer, &jobs).await;
    tick(&worker).await;
    let slice: i64 = count(&owner, "select count(*) from fairclaim_internal.tick_state t join fairclaim_internal.lane l on l.lane_id <= t.shared_slice").await;
    assert_eq!(slice, 200, "one tick looked at one slice");
    let mut cursor = None;
    loop {
        let jobs = claim_jobs(&worker, 100, &mut cursor).await;
        if jobs.is_empty() {
            break;
        }
        settle_all(&worker, &jobs, "complete").await;
    }
    let used =
        dispatch_object(&producer, json!({"tenant_id": tenant(1), "type": "still-used"})).await;

    db.advance("30 min").await;
    ticks(&worker, 6).await;
    assert_eq!(
        count(&owner, "select count(*) from fairclaim_internal.lane").await,
        451,
        "half an hour is not enough"
    );
    db.advance("35 min").await;
    ticks(&worker, 6).await;
    assert_eq!(
        count(&owner, "select count(*) from fairclaim_internal.lane").await,
        1,
        "only the one with a job is left"
    );
    assert_eq!(claim_job(&worker, "w").await.expect("its job").id, used);
    dispatch(&producer, tenant(1), "type7").await;
    assert_eq!(claim_job(&worker, "w").await.expect("a lane anew").job_type, "type7");
}

/// H3: rows taken by a claim that was open when a limit was set were not counted.
#[tokio::test(flavor = "multi_thread")]
async fn h3_a_limit_counts_what_an_open_claim_took() {
    let db = TestDb::new().await;
    let (producer, owner) = (db.producer().await, db.owner().await);
    let (mut early, worker) = (db.worker().await, db.worker().await);
    dispatch_many(&producer, tenant(1), "default", "mail", 20).await;
    let open = early.transaction().await.expect("begin");
    let first = claim_jobs(&open, 2, &mut None).await;
    assert_eq!(first.len(), 2);
    limit(&owner, tenant(1), 3).await;
    ticks(&worker, 5).await;
    assert_eq!(
        claim_jobs(&worker, 10, &mut None).await.len(),
        0,
        "nothing while a claim from before the limit is open"
    );
    open.commit().await.expect("commit");

    let mut got = Vec::new();
    for _ in 0..5 {
        tick(&worker).await;
        got.extend(claim_jobs(&worker, 10, &mut None).await);
        got.extend(claim_jobs(&worker, 1, &mut None).await);
        let running = count(&owner, "select count(*) from fairclaim_internal.running").await;
        assert!(running <= 3, "{running} running under a limit of 3");
    }
    assert_eq!(got.len(), 1, "two of the open claim and one more");
    settle_all(&worker, &first, "complete").await;
    assert_eq!(claim_jobs(&worker, 10, &mut None).await.len(), 2);
}

/// H4: setting a tenant's weight updated its lanes, so that an installer's open transaction could stop the ticks.
#[tokio::test(flavor = "multi_thread")]
async fn h4_setting_a_weight_blocks_no_tick_and_takes_effect_by_the_next() {
    let db = TestDb::new().await;
    let (producer, worker, mut admin) =
        (db.producer().await, db.worker().await, db.operator().await);
    for n in 1..=2 {
        dispatch_many(&producer, tenant(n), "default", "mail", 200).await;
    }
    let open = admin.transaction().await.expect("begin");
    open.execute("select fairclaim.set_weight($1, 3)", &[&tenant(2)]).await.expect("weight");
    let row = tokio::time::timeout(std::time::Duration::from_secs(60), tick(&worker))
        .await
        .expect("tick waits");
    assert!(!row.get::<_, bool>("busy"));
    let even = claim_one_by_one(&worker, 40).await;
    assert_eq!(even.iter().filter(|job| job.tenant == tenant(2)).count(), 20, "not committed yet");
    open.commit().await.expect("commit");
    tick(&worker).await;
    let uneven = claim_one_by_one(&worker, 80).await;
    let heavy = uneven.iter().filter(|job| job.tenant == tenant(2)).count();
    assert!((59..=61).contains(&heavy), "{heavy} of 80 for a weight of 3 beside 1");
}

/// H5: an open dispatcher stopped the floors of shared lanes, so that claims walked a growing dead prefix.
#[tokio::test(flavor = "multi_thread")]
async fn h5_the_floor_of_a_shared_lane_passes_an_open_dispatcher_and_loses_nothing() {
    let db = TestDb::with_test_clock().await;
    let (mut slow, producer) = (db.producer().await, db.producer().await);
    let (worker, owner) = (db.worker().await, db.owner().await);
    dispatch(&producer, tenant(1), "mail").await;
    claim_one_by_one(&worker, 1).await;
    let open = slow.transaction().await.expect("begin");
    let late = [dispatch(&open, tenant(2), "mail").await, dispatch(&open, tenant(3), "mail").await];
    let mark = count(&owner, "select last_value from fairclaim_internal.ready_seq").await;
    tick(&worker).await;

    let many: Vec<_> =
        (10..1210).map(|n| json!({"tenant_id": tenant(n), "type": "mail"})).collect();
    dispatch_batch(&producer, &many).await;
    let jobs = claim_jobs(&worker, 1000, &mut None).await;
    settle_all(&worker, &jobs, "complete").await;
    for _ in 0..2 {
        db.advance("4 s").await;
        tick(&worker).await;
    }
    let floor =
        count(&owner, "select min(floor) from fairclaim_internal.lane where tenant_id is null")
            .await;
    assert!(floor > mark + 900, "the floor {floor} waits for a transaction of number {mark}");

    open.commit().await.expect("commit");
    tick(&worker).await;
    let rest = claim_jobs(&worker, 1000, &mut None).await;
    assert_eq!(rest.len(), 202, "the rest of the batch and the two below the floor");
    assert!(late.iter().all(|id| rest.iter().any(|job| job.id == *id)));
}

/// H6: lanes that ran dry gave no hints, so their dead prefix grew under a held snapshot.
#[tokio::test(flavor = "multi_thread")]
async fn h6_lanes_probed_in_vain_get_their_floors_moved() {
    let db = TestDb::new().await;
    let (producer, worker, owner) = (db.producer().await, db.worker().await, db.owner().await);
    for n in 0..60 {
        dispatch_many(&producer, tenant(n), "default", "mail", 9).await;
    }
    let jobs = claim_jobs(&worker, 1000, &mut None).await;
    assert_eq!(jobs.len(), 540);
    settle_all(&worker, &jobs, "complete").await;
    owner
        .batch_execute("delete from fairclaim_internal.floor_hint")
        .await
        .expect("forget the hints of what was taken");

    for _ in 0..200 {
        assert_eq!(claim_jobs(&worker, 10, &mut None).await.len(), 0);
    }
    let hinted =
        count(&owner, "select count(distinct lane_id) from fairclaim_internal.floor_hint").await;
    assert!(hinted > 30, "{hinted} of 60 lanes were hinted at in 200 claims that found them dry");
    tick(&worker).await;
    let moved = count(
        &owner,
        "select count(*) from fairclaim_internal.lane where tenant_id is not null and floor > 0",
    )
    .await;
    assert_eq!(moved, hinted);
}
