//! Tenants are served in turn: one test for every promise about turns, each through the functions a worker calls.

mod bound;
mod closing;
mod floods;
mod unhandled;

use std::collections::HashSet;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::calls::{
    claim_job, claim_jobs, dispatch, dispatch_batch, dispatch_many, dispatch_object, settle_all,
    tenant,
};
use crate::support::{Client, TestDb};

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
    let (producer, worker, operator) =
        (db.producer().await, db.worker().await, db.operator().await);
    let weights: [i32; 5] = [1, 2, 3, 5, 9];
    for (n, weight) in weights.iter().enumerate() {
        let sql = "select fairclaim.set_weight($1, $2)";
        operator.execute(sql, &[&tenant(n as u128), weight]).await.expect("weight");
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
