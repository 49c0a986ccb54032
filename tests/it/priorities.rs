//! Priorities inside a tenant: higher first, whatever came first; the oldest first inside a lane; and never before
//! another tenant's turn.

use std::collections::HashMap;

use serde_json::json;
use uuid::Uuid;

use crate::calls::{Claimed, claim_job, claim_jobs, dispatch_batch, dispatch_object, tenant};
use crate::support::{Client, TestDb};

/// How a worker claims: one by one with `claim_job`, or so many at a time.
#[derive(Debug, Clone, Copy)]
enum By {
    One,
    Batches(i32),
    /// Knowing one type, which takes another way through the lanes.
    OneType,
}

const WAYS: [By; 5] = [By::One, By::Batches(1), By::Batches(4), By::Batches(100), By::OneType];

/// Claims everything there is, in this way.
async fn claim_all(worker: &Client, by: By) -> Vec<Claimed> {
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let got = match by {
            By::One => claim_job(worker, "w").await.into_iter().collect(),
            By::Batches(limit) => claim_jobs(worker, limit, &mut cursor).await,
            By::OneType => {
                let sql = "select * from fairclaim.claim_job('w', null, array['mail'])";
                let rows = worker.query(sql, &[]).await.expect("claim_job");
                rows.iter().map(Claimed::from).collect::<Vec<_>>()
            }
        };
        if got.is_empty() {
            return all;
        }
        all.extend(got);
    }
}

/// Dispatches jobs of one tenant in this order of priorities, in calls of three; their ids.
async fn dispatch_in_order(producer: &Client, n: u128, priorities: &[i32]) -> Vec<(i32, Uuid)> {
    let mut jobs = Vec::new();
    for chunk in priorities.chunks(3) {
        let batch: Vec<_> = chunk
            .iter()
            .map(|p| json!({"tenant_id": tenant(n), "type": "mail", "priority": p}))
            .collect();
        jobs.extend(chunk.iter().copied().zip(dispatch_batch(producer, &batch).await));
    }
    jobs
}

/// Higher first, and the oldest first among equals.
fn in_turn(mut jobs: Vec<(i32, Uuid)>) -> Vec<Uuid> {
    jobs.sort_by_key(|&(priority, _)| std::cmp::Reverse(priority)); // stable: equals stay in order
    jobs.into_iter().map(|(_, id)| id).collect()
}

#[tokio::test]
async fn a_tenants_jobs_go_by_priority_and_the_oldest_first_in_a_lane() {
    let db = TestDb::new().await;
    let (producer, worker) = (db.producer().await, db.worker().await);
    // the lowest first and the others mixed, so that neither age nor the number of a lane says what is first
    let mixed = [-5, 1, -5, 10, 1, -5, 10, 10];
    // without any above 0, which is the common case and the shortest way
    let below = [-20, -5, -5, -20, -5, -20];
    for by in WAYS {
        for priorities in [&mixed[..], &below] {
            let jobs = dispatch_in_order(&producer, 1, priorities).await;
            let got: Vec<Uuid> = claim_all(&worker, by).await.iter().map(|job| job.id).collect();
            assert_eq!(got, in_turn(jobs), "{by:?}, {priorities:?}");
        }
    }
}

#[tokio::test]
async fn a_backlogged_tenants_jobs_go_by_priority_wherever_they_wait() {
    let db = TestDb::new().await;
    let (producer, worker) = (db.producer().await, db.worker().await);
    // the first ones wait in shared lanes and the others in lanes of its own
    let mixed = [-5, 1, -5, 10, 1, -5, 10, 10, 1, -5, 1, 10];
    for by in WAYS {
        let jobs = dispatch_in_order(&producer, 1, &mixed).await;
        let priority: HashMap<Uuid, i32> =
            jobs.iter().map(|&(priority, id)| (id, priority)).collect();
        let got: Vec<i32> =
            claim_all(&worker, by).await.iter().map(|job| priority[&job.id]).collect();
        assert_eq!(got, [10, 10, 10, 10, 1, 1, 1, 1, -5, -5, -5, -5], "{by:?}");
    }
}

/// Whose turn it is, is told by the places in line, whatever the priorities; what a tenant gives then is the highest it has.
#[tokio::test]
async fn a_light_tenants_turn_gives_its_highest_job_and_no_tenant_gains_a_turn_by_it() {
    let db = TestDb::new().await;
    let (producer, worker) = (db.producer().await, db.worker().await);
    for by in WAYS {
        let mut highest = Vec::new();
        for n in 1..=20 {
            for priority in [0, -1, 0, i32::try_from(n % 7).expect("small") + 1] {
                let job = json!({"tenant_id": tenant(n), "type": "mail", "priority": priority});
                highest.push(dispatch_object(&producer, job).await);
            }
        }
        let highest: Vec<Uuid> = highest.into_iter().skip(3).step_by(4).collect();
        let got = claim_all(&worker, by).await;
        assert_eq!(got.len(), 80);
        // in a claim of so many at once a tenant gives all that it has; else in the order in which it came
        let first: Vec<Uuid> = got.iter().step_by(4).map(|job| job.id).collect();
        assert_eq!(first, highest, "{by:?}");
        let tenants: Vec<Uuid> = got.iter().map(|job| job.tenant).collect();
        let expected: Vec<Uuid> = (1..=20).flat_map(|n| [tenant(n); 4]).collect();
        assert_eq!(tenants, expected, "{by:?}");
    }
}

#[tokio::test]
async fn a_more_urgent_job_that_comes_later_goes_first() {
    let db = TestDb::new().await;
    let (producer, worker) = (db.producer().await, db.worker().await);
    let mut waiting = dispatch_in_order(&producer, 1, &[1; 6]).await;
    assert_eq!(claim_job(&worker, "w").await.expect("a job").id, waiting.remove(0).1);
    let urgent = dispatch_in_order(&producer, 1, &[10]).await[0].1;
    assert_eq!(claim_job(&worker, "w").await.expect("a job").id, urgent);
    let urgent = dispatch_in_order(&producer, 1, &[10]).await[0].1;
    let got = claim_jobs(&worker, 3, &mut None).await;
    let ids: Vec<Uuid> = got.iter().map(|job| job.id).collect();
    assert_eq!(ids, [urgent, waiting[0].1, waiting[1].1]);
}

#[tokio::test]
async fn of_two_lanes_of_one_priority_the_older_is_served_first() {
    let db = TestDb::new().await;
    let (producer, worker) = (db.producer().await, db.worker().await);
    for by in [By::One, By::Batches(4)] {
        let mut expected = Vec::new();
        for job_type in ["report", "mail"] {
            for _ in 0..3 {
                let job = json!({"tenant_id": tenant(1), "type": job_type, "priority": 2});
                expected.push(dispatch_object(&producer, job).await);
            }
        }
        let got: Vec<Uuid> = claim_all(&worker, by).await.iter().map(|job| job.id).collect();
        assert_eq!(got, expected, "{by:?}");
    }
}

#[tokio::test]
async fn a_priority_goes_before_no_other_tenants_turn() {
    let db = TestDb::new().await;
    let (producer, worker) = (db.producer().await, db.worker().await);
    for by in [By::One, By::Batches(1), By::Batches(10), By::OneType] {
        // ten of each of four tenants; those of the last two are more urgent to them
        for (n, priority) in [(1, -5), (2, -5), (3, 1), (4, 10)] {
            let batch =
                vec![json!({"tenant_id": tenant(n), "type": "mail", "priority": priority}); 10];
            dispatch_batch(&producer, &batch).await;
        }
        let got = claim_all(&worker, by).await;
        assert_eq!(got.len(), 40);
        // of any number claimed, each has a quarter; a claim of ten gives nobody more than three at once
        let most = if matches!(by, By::Batches(10)) { 3 } else { 1 };
        for taken in 1..=40 {
            for n in 1..=4 {
                let of = got[..taken].iter().filter(|job| job.tenant == tenant(n)).count();
                assert!(of <= taken / 4 + most, "{by:?}: tenant {n} got {of} of {taken}");
            }
        }
    }
}
