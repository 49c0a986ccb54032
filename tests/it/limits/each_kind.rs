//! Each kind of limit, alone and with others, by claims of every size.

use std::collections::BTreeMap;

use serde_json::json;
use uuid::Uuid;

use super::{Asking, Scene};
use crate::calls::{
    Bound::{Default, DefaultIn, Queue, Tenant, TenantIn},
    Claimed, dispatch_batch, dispatch_many, set_limit, settle_all, tenant,
};

const QUEUES: [&str; 2] = ["alpha", "beta"];
/// Tenants 1 and 2 have a backlog in each queue, 3 and 4 two jobs each.
const BACKLOG: i32 = 15;
const LIGHT: i32 = 2;

impl Scene {
    async fn fill(&self) {
        for queue in QUEUES {
            for (n, jobs) in [(1, BACKLOG), (2, BACKLOG), (3, LIGHT), (4, LIGHT)] {
                dispatch_many(&self.producer, tenant(n), queue, "mail", jobs).await;
            }
        }
    }

    /// What runs, of each tenant in alpha and in beta.
    async fn running(&self) -> BTreeMap<u128, [i64; 2]> {
        let sql = "select j.tenant_id, count(*) filter (where j.queue = 'alpha'), count(*) filter (where j.queue = 'beta')
                     from fairclaim_internal.running r
                     join fairclaim_internal.job j on j.id = r.id and j.tenant_id = r.tenant_id group by 1";
        let rows = self.owner.query(sql, &[]).await.expect(sql);
        let number = |id: Uuid| id.as_u128() - tenant(0).as_u128();
        rows.iter().map(|row| (number(row.get(0)), [row.get(1), row.get(2)])).collect()
    }

    /// Claims all there is to be had, ends a third of it, and so on, until everything has ended. Gives what ran of each
    /// tenant when the first had been claimed.
    async fn through(&self, size: i32) -> BTreeMap<u128, [i64; 2]> {
        self.fill().await;
        let asking = Asking::of(size);
        let mut held = self.claim_all(&asking).await;
        let first = self.running().await;
        let mut ended = 0;
        while !held.is_empty() {
            let rest = held.split_off(held.len().div_ceil(3));
            settle_all(&self.worker, &held, "complete").await;
            ended += held.len();
            held = rest;
            held.extend(self.claim_all(&asking).await);
            self.ticks(1).await;
            held.extend(self.claim_all(&asking).await);
        }
        let all = usize::try_from(4 * (BACKLOG + LIGHT)).expect("a count");
        assert_eq!(ended, all, "everything ends");
        first
    }
}

fn total(of: &BTreeMap<u128, [i64; 2]>, tenant: u128) -> i64 {
    of.get(&tenant).map_or(0, |[alpha, beta]| alpha + beta)
}

fn sum(of: &BTreeMap<u128, [i64; 2]>, queue: usize) -> i64 {
    of.values().map(|queues| queues[queue]).sum()
}

#[tokio::test]
async fn a_limit_of_a_tenant_over_all_its_queues_bounds_it_alone() {
    for size in [1, 10, 100] {
        let scene = Scene::new().await;
        scene.limits(&[(Tenant(tenant(1)), 5)]).await;
        let first = scene.through(size).await;
        assert_eq!((total(&first, 1), total(&first, 2), total(&first, 3)), (5, 30, 4), "{size}");
    }
}

#[tokio::test]
async fn a_limit_of_a_tenant_in_a_queue_leaves_its_other_queues_alone() {
    for size in [1, 10, 100] {
        let scene = Scene::new().await;
        scene.limits(&[(TenantIn(tenant(1), "alpha"), 4)]).await;
        let first = scene.through(size).await;
        assert_eq!((first[&1], first[&2], first[&3]), ([4, 15], [15, 15], [2, 2]), "{size}");
    }
}

#[tokio::test]
async fn a_default_bounds_each_tenant_and_an_own_limit_beats_it_lower_or_higher() {
    for size in [1, 10, 100] {
        let scene = Scene::new().await;
        scene.limits(&[(Default, 3), (Tenant(tenant(1)), 7), (Tenant(tenant(4)), 1)]).await;
        let first = scene.through(size).await;
        let totals = [1, 2, 3, 4].map(|n| total(&first, n));
        assert_eq!(totals, [7, 3, 3, 1], "{size}");
    }
}

#[tokio::test]
async fn a_default_in_a_queue_bounds_each_tenant_there_and_an_own_limit_beats_it() {
    for size in [1, 10, 100] {
        let scene = Scene::new().await;
        scene
            .limits(&[
                (DefaultIn("beta"), 2),
                (TenantIn(tenant(1), "beta"), 6),
                (TenantIn(tenant(4), "beta"), 1),
            ])
            .await;
        let first = scene.through(size).await;
        let seen = [1, 2, 3, 4].map(|n| first[&n]);
        assert_eq!(seen, [[15, 6], [15, 2], [2, 2], [2, 1]], "{size}");
    }
}

#[tokio::test]
async fn a_limit_of_a_queue_bounds_all_its_tenants_together() {
    for size in [1, 10, 100] {
        let scene = Scene::new().await;
        scene.limits(&[(Queue("alpha"), 9)]).await;
        let first = scene.through(size).await;
        assert_eq!((sum(&first, 0), sum(&first, 1)), (9, 34), "{size}");
    }
}

#[tokio::test]
async fn of_all_kinds_together_the_least_counts() {
    for size in [1, 10, 100] {
        let scene = Scene::new().await;
        let limits = [
            (Default, 6),
            (DefaultIn("alpha"), 5),
            (Tenant(tenant(1)), 8),
            (TenantIn(tenant(1), "alpha"), 7),
            (TenantIn(tenant(3), "beta"), 1),
            (Queue("alpha"), 10),
            (Queue("beta"), 4),
        ];
        scene.limits(&limits).await;
        let first = scene.through(size).await;
        assert_eq!((sum(&first, 0), sum(&first, 1)), (10, 4), "{size}: {first:?}");
        assert!(total(&first, 1) <= 8 && total(&first, 2) <= 6, "{size}: {first:?}");
    }
}

#[tokio::test]
async fn a_queue_that_a_claim_names_twice_is_counted_once() {
    for limit in [Queue("alpha"), DefaultIn("alpha"), Tenant(tenant(1))] {
        let scene = Scene::new().await;
        scene.limits(&[(limit, 3)]).await;
        dispatch_many(&scene.producer, tenant(1), "alpha", "mail", BACKLOG).await;
        let asking = Asking { queues: Some(&["alpha", "alpha", "beta"]), ..Asking::of(100) };
        assert_eq!(scene.claim(&asking).await.len(), 3, "{limit:?}");
    }
}

#[tokio::test]
async fn limits_hold_where_priorities_are_in_use() {
    for size in [1, 10, 100] {
        let scene = Scene::new().await;
        scene.limits(&[(Default, 6), (DefaultIn("alpha"), 3), (Queue("beta"), 6)]).await;
        for queue in QUEUES {
            let urgent: Vec<_> = (1..=4)
                .flat_map(|n| [9, -3].map(|priority| (n, priority)))
                .map(|(n, priority)| json!({"tenant_id": tenant(n), "type": "mail", "queue": queue, "priority": priority}))
                .collect();
            dispatch_batch(&scene.producer, &urgent).await;
        }
        scene.fill().await;
        let mut held = scene.claim_all(&Asking::of(size)).await;
        let first = scene.running().await;
        assert_eq!(sum(&first, 1), 6, "{size}: {first:?}");
        for n in 1..=4 {
            assert!(first[&n][0] == 3 && total(&first, n) <= 6, "{size}: {first:?}");
        }
        while !held.is_empty() {
            settle_all(&scene.worker, &held, "complete").await;
            scene.ticks(1).await;
            held = scene.claim_all(&Asking::of(size)).await;
        }
    }
}

/// Jobs whose workers died twice count as all others do.
#[tokio::test]
async fn limits_hold_for_jobs_that_run_alone() {
    let scene = Scene::new().await;
    let jobs: Vec<_> = (0..120)
        .map(|n| json!({"tenant_id": tenant(1 + n / 3), "type": "mail", "queue": "alpha"}))
        .collect();
    dispatch_batch(&scene.producer, &jobs).await;
    let lost = "update fairclaim_internal.running set lost = 1, lease_expires_at = fairclaim.clock() - interval '1 s'";
    assert_eq!(scene.claim_all(&Asking::of(100)).await.len(), 120);
    scene.owner.execute(lost, &[]).await.expect("two dead workers");
    scene.db.advance("10 s").await;
    scene.ticks(3).await;
    scene.limits(&[(Default, 2), (Tenant(tenant(2)), 0), (Queue("alpha"), 35)]).await;
    let alone = Asking { alone: true, ..Asking::of(1) };
    let held: Vec<Claimed> = scene.claim_all(&alone).await;
    assert_eq!(held.len(), 35, "of the queue");
    set_limit(&scene.owner, Queue("alpha"), None).await;
    let more = scene.claim_all(&alone).await;
    assert_eq!(more.len(), 2 * 39 - 35, "two of each of 39 tenants");
    settle_all(&scene.worker, &held, "complete").await;
    let third = scene.claim_all(&alone).await;
    assert!(third.len() >= 17, "the third of each whose two have ended: {}", third.len());
}
