//! Tenants are served in turn: one test for every promise about turns, each through the functions a worker calls.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::calls::{
    Claimed, claim_job, claim_jobs, dispatch, dispatch_batch, dispatch_many, dispatch_object, settle_all, tenant, tick,
};
use crate::support::TestDb;

/// The tenant that floods; the small ones are 1, 2, 3 and so on, before and behind it by uuid.
const BIG: u128 = 50;
const DEEP: i32 = 100_000;

/// A batch of `count` jobs of one tenant, as objects.
fn batch(tenant: Uuid, count: usize) -> Vec<Value> {
    vec![json!({"tenant_id": tenant, "type": "mail"}); count]
}

/// The flood, and then 100 small tenants with ten jobs each, a batch a tenant.
async fn flood_and_batches(producer: &Client) -> HashSet<Uuid> {
    dispatch_many(producer, tenant(BIG), "default", "mail", DEEP).await;
    let small: Vec<Uuid> = (1..=101).filter(|&n| n != BIG).map(tenant).collect();
    for &one in &small {
        dispatch_batch(producer, &batch(one, 10)).await;
    }
    small.into_iter().collect()
}

#[tokio::test]
async fn claims_of_one_reach_every_tenant_behind_a_flood() {
    let db = TestDb::new().await;
    let (producer, worker) = (db.producer().await, db.worker().await);
    let mut unserved = flood_and_batches(&producer).await;
    for _ in 0..300 {
        let job = claim_job(&worker, "w").await.expect("a hundred thousand wait");
        unserved.remove(&job.tenant);
    }
    assert!(unserved.is_empty(), "{} of 100 tenants got nothing of 300 claims", unserved.len());
}

#[tokio::test]
async fn batches_with_a_cursor_reach_every_tenant_behind_a_flood() {
    let db = TestDb::new().await;
    let (producer, worker) = (db.producer().await, db.worker().await);
    let all = flood_and_batches(&producer).await;
    for limit in [1, 10, 100] {
        let (mut unserved, mut cursor, mut taken) = (all.clone(), None, 0);
        while taken < 300 {
            let got = claim_jobs(&worker, limit, &mut cursor).await;
            assert_eq!(got.len(), usize::try_from(limit).expect("small"), "a claim is filled while jobs wait");
            taken += got.len();
            for job in &got {
                unserved.remove(&job.tenant);
            }
        }
        assert!(unserved.is_empty(), "claims of {limit}: {} of 100 tenants got nothing", unserved.len());
    }
}

/// The rows of the shared lanes in the order in which they stand there, as their owner sees them.
async fn shared_rows(owner: &Client) -> Vec<Uuid> {
    let sql = "select y.id from fairclaim.ready y join fairclaim.lane l using (lane_id) where l.tenant_id is null order by y.seq";
    owner.query(sql, &[]).await.expect("ready").iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn single_dispatches_are_served_within_the_bound() {
    let db = TestDb::new().await;
    let (producer, worker, owner) = (db.producer().await, db.worker().await, db.owner().await);
    dispatch_many(&producer, tenant(BIG), "default", "mail", DEEP).await;
    let small: HashSet<Uuid> = (1..=101).filter(|&n| n != BIG).map(tenant).collect();
    for &one in &small {
        for _ in 0..10 {
            dispatch(&producer, one, "mail").await;
        }
    }
    // the first eight of each went through the shared lane, the others have lanes of their own beside the flood
    let shared = shared_rows(&owner).await;
    assert_eq!(shared.len(), 100 * 8);
    let mut claim_of: HashMap<Uuid, usize> = HashMap::new();
    let mut from_own: HashSet<Uuid> = HashSet::new();
    for claim in 1..=shared.len() * 4 / 3 + 4 {
        let job = claim_job(&worker, "w").await.expect("a hundred thousand wait");
        claim_of.insert(job.id, claim);
        if !shared.contains(&job.id) {
            from_own.insert(job.tenant);
        }
    }
    for (ahead, id) in shared.iter().enumerate() {
        let claim = claim_of.get(id).copied().unwrap_or(usize::MAX);
        // three claims of four, and the round may begin with the fourth
        let bound = (ahead + 1) * 4 / 3 + 2;
        assert!(claim <= bound, "{ahead} rows ahead, but served by claim {claim}, not within {bound}");
    }
    assert_eq!(from_own.len(), 101, "a quarter of the claims went round all that have lanes of their own");
}

#[tokio::test]
async fn a_chain_beside_a_backlog_gets_three_quarters_at_most() {
    let db = TestDb::new().await;
    let (producer, worker) = (db.producer().await, db.worker().await);
    dispatch_many(&producer, tenant(BIG), "default", "mail", 2_000).await;
    for limit in [1, 4, 10] {
        // as many links as a claim takes: without the bound the chain would get everything
        let links = usize::try_from(limit.min(7)).expect("small");
        let chain = tenant(1000 + links as u128);
        for _ in 0..links {
            dispatch(&producer, chain, "mail").await;
        }
        let (mut of_chain, mut all, mut cursor) = (0, 0, None);
        while all < 400 {
            let got = match limit {
                1 => claim_job(&worker, "w").await.into_iter().collect(),
                _ => claim_jobs(&worker, limit, &mut cursor).await,
            };
            assert!(!got.is_empty());
            all += got.len();
            for job in got.iter().filter(|job| job.tenant == chain) {
                of_chain += 1;
                dispatch(&producer, job.tenant, "mail").await;
            }
            settle_all(&worker, &got, "complete").await;
        }
        assert!(of_chain * 4 <= all * 3 + 4, "claims of {limit}: the chain got {of_chain} of {all}");
        assert!(of_chain * 2 >= all, "claims of {limit}: a light tenant goes first, this one got {of_chain} of {all}");
        // the rest of the chain must not meet the next one
        let left = claim_jobs(&worker, 100, &mut None).await;
        settle_all(&worker, &left, "complete").await;
    }
}

/// How many rows of a tenant stand in each shared lane, by type.
async fn in_shared_lanes(owner: &Client, tenant: Uuid) -> Vec<(String, i64)> {
    let sql = "select l.type, count(*) from fairclaim.ready y join fairclaim.lane l using (lane_id)
                where l.tenant_id is null and y.tenant_id = $1 group by l.lane_id, l.type order by 1";
    let rows = owner.query(sql, &[&tenant]).await.expect("ready");
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

const TYPES: [&str; 3] = ["mail", "report", "thumbnail"];

/// Three types in turn, one dispatch a job.
async fn flood_by_single_dispatches(producer: &Client, count: usize) {
    for n in 0..count {
        dispatch(producer, tenant(BIG), TYPES[n % 3]).await;
    }
}

#[tokio::test]
async fn a_flood_of_three_types_has_eight_rows_in_each_shared_lane() {
    let db = TestDb::new().await;
    let (producer, worker, owner) = (db.producer().await, db.worker().await, db.owner().await);
    for wave in 0..4 {
        flood_by_single_dispatches(&producer, 150).await;
        let rows = in_shared_lanes(&owner, tenant(BIG)).await;
        assert_eq!(rows.len(), if wave == 0 { 3 } else { rows.len() });
        assert!(rows.iter().all(|&(_, n)| n <= 8), "wave {wave}: {rows:?}");
        // some are served, ticks go by, and the flood goes on
        settle_all(&worker, &claim_jobs(&worker, 40, &mut None).await, "complete").await;
        tick(&worker).await;
    }
}

#[tokio::test]
async fn a_flood_with_retries_has_sixteen_rows_in_each_shared_lane_at_most() {
    let db = TestDb::new().await;
    let (producer, worker, owner) = (db.producer().await, db.worker().await, db.owner().await);
    owner.batch_execute(include_str!("../../sql/testing/clock.sql")).await.expect("the clock of tests");
    let mut most = 0;
    for wave in 0..6 {
        flood_by_single_dispatches(&producer, 60).await;
        let mut got: Vec<Claimed> = Vec::new();
        while got.len() < 60 {
            got.extend(claim_jobs(&worker, 100, &mut None).await);
        }
        // their ids are older than any bound of age when they come back
        owner.execute("update fairclaim.test_clock set shift = shift + '20 s'", &[]).await.expect("the clock moves");
        tick(&worker).await;
        settle_all(&worker, &got, if wave % 2 == 0 { "retry" } else { "release" }).await;
        tick(&worker).await;
        flood_by_single_dispatches(&producer, 60).await;
        let rows = in_shared_lanes(&owner, tenant(BIG)).await;
        assert!(rows.iter().all(|&(_, n)| n <= 16), "wave {wave}: {rows:?}");
        most = rows.iter().map(|&(_, n)| n).fold(most, i64::max);
    }
    assert!(most >= 8, "this flood never used the shared lanes: {most}");
}

#[tokio::test]
async fn a_queue_that_never_runs_dry_starves_no_other() {
    let db = TestDb::new().await;
    let (producer, worker) = (db.producer().await, db.worker().await);
    for (busy, quiet) in [("a-busy", "b-quiet"), ("d-busy", "c-quiet")] {
        dispatch_many(&producer, tenant(1), busy, "mail", 3_000).await;
        for n in 2..=6 {
            dispatch_object(&producer, json!({"tenant_id": tenant(n), "type": "mail", "queue": quiet})).await;
        }
        dispatch_many(&producer, tenant(7), quiet, "mail", 15).await;
    }
    // claims of one keep their place in the session: every fourth is of each queue while none is dry
    let mut of_quiet = 0;
    for _ in 0..44 {
        let job = claim_job(&worker, "w").await.expect("a job");
        of_quiet += usize::from(job.queue.ends_with("quiet"));
    }
    assert!(of_quiet >= 20, "{of_quiet} of 44 claims of one");
    // batches keep it in the cursor; a full queue fills a call, and the next call begins behind it
    let (mut calls, mut cursor) = (0, None);
    while of_quiet < 40 {
        calls += 1;
        assert!(calls <= 16, "{of_quiet} of the 40 jobs of the quiet queues after {calls} calls of 10");
        let got = claim_jobs(&worker, 10, &mut cursor).await;
        assert_eq!(got.len(), 10);
        of_quiet += got.iter().filter(|job| job.queue.ends_with("quiet")).count();
    }
}

#[tokio::test]
async fn weights_are_shares_of_the_turns() {
    let db = TestDb::new().await;
    let (producer, worker, owner) = (db.producer().await, db.worker().await, db.owner().await);
    let weights: [i16; 5] = [1, 2, 3, 5, 9];
    for (n, weight) in weights.iter().enumerate() {
        let sql = "insert into fairclaim.tenant (tenant_id, weight) values ($1, $2)";
        owner.execute(sql, &[&tenant(n as u128), weight]).await.expect("weight");
        dispatch_many(&producer, tenant(n as u128), "default", "mail", 2_000).await;
    }
    for limit in [1, 10, 64] {
        let (mut cursor, mut taken) = (None, [0_usize; 5]);
        while taken.iter().sum::<usize>() < 1_000 {
            for job in claim_jobs(&worker, limit, &mut cursor).await {
                let n = (0..5).position(|n| tenant(n) == job.tenant).expect("one of the five");
                taken[n] += 1;
            }
        }
        let per_weight: Vec<f64> = taken.iter().zip(weights).map(|(&n, w)| n as f64 / f64::from(w)).collect();
        let sum: f64 = per_weight.iter().sum();
        let squares: f64 = per_weight.iter().map(|x| x * x).sum();
        let jain = sum * sum / (5.0 * squares);
        assert!(jain >= 0.99, "claims of {limit}: {taken:?}, Jain {jain}");
    }
}

#[tokio::test]
async fn a_priority_above_0_goes_before_its_tenants_shared_jobs() {
    let db = TestDb::new().await;
    let (producer, worker) = (db.producer().await, db.worker().await);
    for limit in [1, 5] {
        let mut urgent = HashSet::new();
        for n in 1..=5 {
            dispatch(&producer, tenant(n), "mail").await;
            let job = json!({"tenant_id": tenant(n), "type": "mail", "priority": 10});
            urgent.insert(dispatch_object(&producer, job).await);
        }
        let (mut seen, mut cursor) = (HashSet::new(), None);
        for _ in 0..10 / limit {
            for job in claim_jobs(&worker, limit, &mut cursor).await {
                let first = seen.insert(job.tenant);
                assert_eq!(first, urgent.contains(&job.id), "the urgent one of each tenant comes first");
            }
        }
        assert_eq!(seen.len(), 5);
    }
}
