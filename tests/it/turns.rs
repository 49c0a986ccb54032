//! Tenants are served in turn: one test for every promise about turns, each through the functions a worker calls.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::calls::{
    claim_job, claim_jobs, dispatch, dispatch_batch, dispatch_many, dispatch_object, settle_all,
    tenant, tick,
};
use crate::support::TestDb;

/// The tenant that floods; the small ones are 1, 2, 3 and so on, before and behind it by uuid.
const BIG: u128 = 50;

/// A batch of `count` jobs of one tenant, as objects.
fn batch(tenant: Uuid, count: usize) -> Vec<Value> {
    vec![json!({"tenant_id": tenant, "type": "mail"}); count]
}

/// A hundred small tenants with ten jobs each, a batch a tenant.
async fn small_batches(producer: &Client) -> HashSet<Uuid> {
    let small: Vec<Uuid> = (1..=101).filter(|&n| n != BIG).map(tenant).collect();
    for &one in &small {
        dispatch_batch(producer, &batch(one, 10)).await;
    }
    small.into_iter().collect()
}

#[tokio::test]
async fn every_tenant_behind_a_flood_is_served_within_300_claims() {
    let db = TestDb::new().await;
    let (producer, worker) = (db.producer().await, db.worker().await);
    dispatch_many(&producer, tenant(BIG), "default", "mail", 100_000).await;
    let mut unserved = small_batches(&producer).await;
    for _ in 0..300 {
        let job = claim_job(&worker, "w").await.expect("a hundred thousand wait");
        unserved.remove(&job.tenant);
    }
    assert!(unserved.is_empty(), "{} of 100 tenants got nothing of 300 claims", unserved.len());

    // the same with a worker's cursor, in claims of one, ten and a hundred
    for limit in [1, 10, 100] {
        let mut unserved = small_batches(&producer).await;
        let (mut cursor, mut taken) = (None, 0);
        while taken < 300 {
            let got = claim_jobs(&worker, limit, &mut cursor).await;
            assert_eq!(
                got.len(),
                usize::try_from(limit).expect("small"),
                "a claim is filled while jobs wait"
            );
            taken += got.len();
            for job in &got {
                unserved.remove(&job.tenant);
            }
        }
        assert!(
            unserved.is_empty(),
            "claims of {limit}: {} of 100 tenants got nothing",
            unserved.len()
        );
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
    dispatch_many(&producer, tenant(BIG), "default", "mail", 20_000).await;
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
        let job = claim_job(&worker, "w").await.expect("twenty thousand wait");
        claim_of.insert(job.id, claim);
        if !shared.contains(&job.id) {
            from_own.insert(job.tenant);
        }
    }
    for (ahead, id) in shared.iter().enumerate() {
        let claim = claim_of.get(id).copied().unwrap_or(usize::MAX);
        // three claims of four, and the round may begin with the fourth
        let bound = (ahead + 1) * 4 / 3 + 2;
        assert!(
            claim <= bound,
            "{ahead} rows ahead, but served by claim {claim}, not within {bound}"
        );
    }
    assert_eq!(
        from_own.len(),
        101,
        "a quarter of the claims went round all that have lanes of their own"
    );
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
        assert!(
            of_chain * 4 <= all * 3 + 4,
            "claims of {limit}: the chain got {of_chain} of {all}"
        );
        assert!(
            of_chain * 2 >= all,
            "claims of {limit}: a light tenant goes first, this one got {of_chain} of {all}"
        );
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
    let db = TestDb::with_test_clock().await;
    let (producer, worker, owner) = (db.producer().await, db.worker().await, db.owner().await);
    for (wave, outcome) in ["retry", "release", "snooze"].into_iter().enumerate() {
        // eight of each type, which come back when their ids are older than what dispatch counts
        flood_by_single_dispatches(&producer, 24).await;
        let got = claim_jobs(&worker, 100, &mut None).await;
        assert_eq!(got.len(), 24);
        db.advance("40 s").await;
        tick(&worker).await;
        settle_all(&worker, &got, outcome).await;
        tick(&worker).await;
        flood_by_single_dispatches(&producer, 60).await;
        let rows = in_shared_lanes(&owner, tenant(BIG)).await;
        assert!(rows.iter().all(|&(_, n)| n <= 16), "wave {wave}, {outcome}: {rows:?}");
        assert!(
            rows.iter().all(|&(_, n)| n > 8),
            "wave {wave}: this was meant to come near the bound: {rows:?}"
        );

        // more of them come back, while the shared lanes are full
        let got = claim_jobs(&worker, 20, &mut None).await;
        flood_by_single_dispatches(&producer, 60).await;
        settle_all(&worker, &got, outcome).await;
        let rows = in_shared_lanes(&owner, tenant(BIG)).await;
        assert!(rows.iter().all(|&(_, n)| n <= 16), "wave {wave}, {outcome}: {rows:?}");
        settle_all(&worker, &claim_jobs(&worker, 1_000, &mut None).await, "complete").await;
        // its own lanes close, and it is light again
        db.advance("40 s").await;
        for _ in 0..4 {
            tick(&worker).await;
        }
    }
}

#[tokio::test]
async fn a_queue_that_never_runs_dry_starves_no_other() {
    let db = TestDb::new().await;
    let (producer, worker) = (db.producer().await, db.worker().await);
    for (busy, quiet) in [("a-busy", "b-quiet"), ("d-busy", "c-quiet")] {
        dispatch_many(&producer, tenant(1), busy, "mail", 3_000).await;
        for n in 2..=6 {
            dispatch_object(
                &producer,
                json!({"tenant_id": tenant(n), "type": "mail", "queue": quiet}),
            )
            .await;
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
        assert!(
            calls <= 16,
            "{of_quiet} of the 40 jobs of the quiet queues after {calls} calls of 10"
        );
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
        let per_weight: Vec<f64> =
            taken.iter().zip(weights).map(|(&n, w)| n as f64 / f64::from(w)).collect();
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
                assert_eq!(
                    first,
                    urgent.contains(&job.id),
                    "the urgent one of each tenant comes first"
                );
            }
        }
        assert_eq!(seen.len(), 5);
    }
}

/// The mean number of buffers that a claim touches, by EXPLAIN, for one job and for ten at a time.
async fn buffers(worker: &Client, queue: &str) -> (i64, i64) {
    let mut means = Vec::new();
    for (call, rounds) in [
        ("claim_job('w', array[$q$QUEUE$q$], array['handled'])", 10),
        ("claim_jobs('w', array[$q$QUEUE$q$], 10, array['handled'])", 5),
    ] {
        let claim = format!("select * from fairclaim.{}", call.replace("QUEUE", queue));
        let explain = format!("explain (analyze, buffers, format json) {claim}");
        worker.execute(&claim, &[]).await.expect("the first call of a session plans");
        let mut sum = 0;
        for _ in 0..rounds {
            let plan: Value = worker.query_one(&explain, &[]).await.expect("explain").get(0);
            let node = &plan[0]["Plan"];
            assert!(
                node["Actual Rows"].as_f64().expect("rows") > 0.0,
                "a claim that found nothing: {plan}"
            );
            sum += node["Shared Hit Blocks"].as_i64().expect("hit")
                + node["Shared Read Blocks"].as_i64().expect("read");
        }
        means.push(sum / rounds);
    }
    (means[0], means[1])
}

/// Puts `rows` jobs of a type nobody handles straight into the lane that dispatch made for it, as a long backlog would.
async fn deepen(owner: &Client, rows: i64) {
    owner
        .execute(
            "with made as (
               insert into fairclaim.job (id, tenant_id, queue, type, priority, max_attempts, created_at, payload, tags, metadata)
               select (p.prefix || '8000' || lpad(to_hex(g), 12, '0'))::uuid, $1, 'flooded', 'unhandled', 0, 25, clock_timestamp(), '{}', '{}', '{}'
                 from (select fairclaim.id_prefix(clock_timestamp()) prefix offset 0) p, generate_series(1, $2::bigint) g
               returning id)
             insert into fairclaim.ready (lane_id, id, tenant_id, attempts, attempts_left, lost)
             select (select l.lane_id from fairclaim.lane l where l.type = 'unhandled' and l.tenant_id = $1), made.id, $1, 0, 25, 0 from made",
            &[&tenant(1), &rows],
        )
        .await
        .expect("a deep lane");
}

/// Ten thousand and more of a type nobody handles before the handled ones of the same tenant, against a queue without.
async fn compare_with_unhandled(rows: i64) {
    let db = TestDb::new().await;
    let (producer, worker, owner) = (db.producer().await, db.worker().await, db.owner().await);
    dispatch_many(&producer, tenant(1), "flooded", "unhandled", 10_000).await;
    deepen(&owner, rows - 10_000).await;
    for queue in ["flooded", "calm"] {
        dispatch_many(&producer, tenant(1), queue, "handled", 100).await;
    }
    let calm = buffers(&worker, "calm").await;
    let flooded = buffers(&worker, "flooded").await;
    assert!(
        flooded.0 * 10 <= calm.0 * 13 && flooded.1 * 10 <= calm.1 * 13,
        "buffers of a claim of 1 and of 10: {flooded:?} behind {rows} unhandled jobs, {calm:?} without"
    );
    let none = "select * from fairclaim.claim_jobs('w', array['flooded'], 100, array['handled'])";
    assert_eq!(worker.query(none, &[]).await.expect("claim_jobs").len(), 100 - 11 - 60);
}

#[tokio::test]
async fn jobs_of_a_type_nobody_handles_cost_a_claim_nothing() {
    compare_with_unhandled(200_000).await;
}

#[tokio::test]
#[ignore = "slow: a million rows"]
async fn a_million_jobs_of_a_type_nobody_handles_cost_a_claim_nothing() {
    compare_with_unhandled(1_000_000).await;
}
