//! Limits and lanes: a limit gives nobody an own lane, and whoever stays at a limit is out of the way of claims.

use std::collections::BTreeSet;

use serde_json::json;
use uuid::Uuid;

use super::{Asking, Scene};
use crate::calls::{
    Bound::{self, Default, DefaultIn, Tenant, TenantIn},
    Claimed, dispatch, dispatch_batch, dispatch_many, set_limit, settle, tenant,
};

/// Of each tenant: rows in shared lanes, rows in own lanes that claims walk, rows in own lanes that they do not.
const PLACES: &str = "
    select count(*) filter (where l.tenant_id is null), count(*) filter (where l.walked),
           count(*) filter (where l.tenant_id is not null and not l.walked)
      from fairclaim_internal.ready r join fairclaim_internal.lane l on l.lane_id = r.lane_id
     where r.tenant_id = $1";

impl Scene {
    async fn places(&self, n: u128) -> [i64; 3] {
        let row = self.owner.query_one(PLACES, &[&tenant(n)]).await.expect("places");
        [row.get(0), row.get(1), row.get(2)]
    }

    /// Tenant 1 has two jobs running, which is what its limit allows, and four waiting.
    async fn at_its_limit(bound: Bound<'_>) -> (Self, Vec<Claimed>) {
        let scene = Self::new().await;
        scene.limits(&[(bound, 2)]).await;
        dispatch_many(&scene.producer, tenant(1), "default", "mail", 6).await;
        let held = scene.claim_all(&Asking::of(10)).await;
        assert_eq!(held.len(), 2, "{bound:?}");
        (scene, held)
    }

    /// The same, when ticks have seen that it stays there.
    async fn staying(bound: Bound<'_>) -> (Self, Vec<Claimed>) {
        let (scene, held) = Self::at_its_limit(bound).await;
        scene.ticks(5).await;
        assert_eq!(scene.places(1).await, [0, 0, 4], "{bound:?}");
        (scene, held)
    }
}

fn every_kind() -> [Bound<'static>; 4] {
    [Tenant(tenant(1)), TenantIn(tenant(1), "default"), Default, DefaultIn("default")]
}

#[tokio::test]
async fn default_limits_leave_light_tenants_in_the_shared_lane_and_in_order_of_arrival() {
    let scene = Scene::new().await;
    scene.limits(&[(Default, 2), (DefaultIn("default"), 1)]).await;
    let jobs: Vec<_> =
        (1..=1_000).map(|n| json!({"tenant_id": tenant(n), "type": "mail"})).collect();
    let mut ids = dispatch_batch(&scene.producer, &jobs).await;
    scene.ticks(5).await;
    for size in [1, 1, 1, 10, 100, 1, 100, 100] {
        let got: BTreeSet<Uuid> =
            scene.claim(&Asking::of(size)).await.iter().map(|job| job.id).collect();
        let rest = ids.split_off(usize::try_from(size).expect("a size"));
        assert_eq!(got, ids.into_iter().collect(), "a claim of {size}");
        ids = rest;
        scene.ticks(1).await;
    }
    let own = "select count(*) from fairclaim_internal.lane l where l.tenant_id is not null";
    assert_eq!(scene.count(own).await, 0);
    let lanes = "select count(*) from fairclaim_internal.lane";
    assert_eq!(scene.count(lanes).await, 1);
}

#[tokio::test]
async fn who_is_at_a_limit_is_passed_over_and_moved_when_it_stays_there() {
    for bound in every_kind() {
        let (scene, held) = Scene::at_its_limit(bound).await;
        let other = dispatch(&scene.producer, tenant(2), "mail").await;
        let got = scene.claim(&Asking::of(1)).await;
        assert_eq!(got[0].id, other, "{bound:?}: behind four jobs that may not run");
        scene.ticks(2).await;
        assert_eq!(scene.places(1).await, [4, 0, 0], "{bound:?}: not before a second has passed");
        scene.ticks(3).await;
        assert_eq!(scene.places(1).await, [0, 0, 4], "{bound:?}");
        dispatch(&scene.producer, tenant(1), "mail").await;
        dispatch_many(&scene.producer, tenant(1), "default", "mail", 2).await;
        assert_eq!(scene.places(1).await, [0, 0, 7], "{bound:?}: what is dispatched meanwhile");
        dispatch(&scene.producer, tenant(1), "another").await;
        let [shared, walked, unwalked] = scene.places(1).await;
        assert_eq!((shared, walked + unwalked), (0, 8), "{bound:?}: a lane that is new");
        assert!(scene.claim(&Asking::of(10)).await.is_empty());
        scene.ticks(2).await;
        assert_eq!(scene.places(1).await, [0, 0, 8], "{bound:?}");
        drop(held);
    }
}

#[tokio::test]
async fn a_settlement_brings_the_tenant_back_at_once_however_it_ends() {
    for (n, bound) in every_kind().into_iter().enumerate() {
        let all = ["complete", "fail", "retry", "snooze", "cancel", "release"];
        for outcome in if n == 0 { &all[..] } else { &all[..1] } {
            let outcome = *outcome;
            let (scene, held) = Scene::staying(bound).await;
            assert!(scene.claim(&Asking::of(10)).await.is_empty());
            if outcome == "release" {
                let tokens: Vec<Uuid> = held.iter().map(|job| job.token).collect();
                let sql = "select count(*) from fairclaim.release_claims('worker', $1)";
                scene.worker.query_one(sql, &[&tokens]).await.expect(sql);
            } else {
                let settled = crate::calls::settle_after(
                    &scene.worker,
                    &held[0],
                    outcome,
                    matches!(outcome, "retry" | "snooze").then_some(900.0),
                );
                assert!(settled.await.accepted);
            }
            let [_, walked, unwalked] = scene.places(1).await;
            assert_eq!((walked >= 4, unwalked), (true, 0), "{bound:?}, {outcome}");
            let got = scene.claim(&Asking::of(10)).await;
            let freed = if outcome == "release" { 2 } else { 1 };
            assert_eq!(got.len(), freed, "{bound:?}, {outcome}");
        }
    }
}

#[tokio::test]
async fn a_limit_that_is_raised_or_lifted_brings_the_tenant_back_within_a_tick() {
    for bound in every_kind() {
        for (max, more) in [(Some(3), 1), (None, 4)] {
            let (scene, _held) = Scene::staying(bound).await;
            set_limit(&scene.owner, bound, max).await;
            scene.ticks(1).await;
            assert_eq!(scene.claim_all(&Asking::of(10)).await.len(), more, "{bound:?} {max:?}");
        }
    }
}

#[tokio::test]
async fn who_stays_at_a_limit_in_one_queue_is_light_in_the_others() {
    for bound in [TenantIn(tenant(1), "default"), DefaultIn("default")] {
        let (scene, _held) = Scene::staying(bound).await;
        let one = "select fairclaim.dispatch_job($1, 'mail', p_queue => 'other')";
        scene.producer.query_one(one, &[&tenant(1)]).await.expect(one);
        dispatch_many(&scene.producer, tenant(1), "other", "mail", 1).await;
        scene.ticks(2).await;
        assert_eq!(scene.places(1).await, [2, 0, 4], "{bound:?}");
    }
}

/// Its jobs are the same whatever the heartbeats of their workers.
#[tokio::test]
async fn a_heartbeat_brings_nobody_back() {
    let (scene, held) = Scene::staying(Default).await;
    for n in 0..6_u8 {
        let job = &held[usize::from(n % 2)];
        let sql = "select count(*) from fairclaim.extend_leases('worker', array[$1::uuid], array[$2::int], array[$3::uuid], $4)";
        let lease = 3_700.0 + f64::from(n);
        scene
            .worker
            .query_one(sql, &[&job.id, &job.attempts, &job.token, &lease])
            .await
            .expect("extend_leases");
        scene.ticks(1).await;
        assert_eq!(scene.places(1).await, [0, 0, 4], "{n}");
    }
}

/// A job that ends while another one starts is a change, though the number is the same.
#[tokio::test]
async fn who_is_at_a_limit_with_other_jobs_each_second_keeps_its_place_in_line() {
    let (scene, mut held) = Scene::at_its_limit(Tenant(tenant(1))).await;
    for _ in 0..4 {
        scene.ticks(2).await;
        assert_eq!(scene.places(1).await[2], 0, "its lanes are walked");
        settle(&scene.worker, &held.remove(0), "complete").await;
        dispatch(&scene.producer, tenant(1), "mail").await;
        held.extend(scene.claim(&Asking::of(10)).await);
    }
    assert_eq!(scene.places(1).await, [4, 0, 0]);
}

/// A limit of zero is how a tenant is paused: nothing of it runs, and what waits is out of the way.
#[tokio::test]
async fn who_is_paused_is_out_of_the_way_and_comes_back_within_a_tick() {
    for bound in [Tenant(tenant(1)), TenantIn(tenant(1), "default")] {
        let scene = Scene::new().await;
        dispatch_many(&scene.producer, tenant(1), "default", "mail", 6).await;
        dispatch_many(&scene.producer, tenant(1), "other", "mail", 3).await;
        scene.limits(&[(bound, 0)]).await;
        let elsewhere = scene.claim_all(&Asking::of(10)).await.len();
        assert_eq!(elsewhere, if matches!(bound, Tenant(_)) { 0 } else { 3 });
        assert_eq!(scene.places(1).await[2], 9 - i64::from(elsewhere == 3) * 3, "{bound:?}");
        set_limit(&scene.owner, bound, Some(5)).await;
        scene.ticks(1).await;
        assert_eq!(scene.claim_all(&Asking::of(10)).await.len(), 5, "{bound:?}");
    }
}

/// However many are at their limits, with jobs that begin and end all the time: the first that has room is found.
#[tokio::test]
async fn a_claim_looks_past_any_number_of_tenants_without_room() {
    for busy in [300, 600] {
        let scene = Scene::new().await;
        scene.limits(&[(Default, 1)]).await;
        let jobs: Vec<_> = (0..busy * 7)
            .map(|n| json!({"tenant_id": tenant(1 + n / 7), "type": "mail"}))
            .collect();
        dispatch_batch(&scene.producer, &jobs).await;
        let claim = Asking::of(1_000);
        assert_eq!(scene.claim_all(&claim).await.len(), usize::try_from(busy).expect("few"));
        let last = dispatch(&scene.producer, tenant(100_000), "mail").await;
        for size in [1, 10] {
            let got = scene.claim(&Asking::of(size)).await;
            assert_eq!(got.len(), 1, "a claim of {size} behind {busy} tenants");
            assert_eq!(got[0].id, last);
            let token = vec![got[0].token];
            let back = "select count(*) from fairclaim.release_claims('worker', $1)";
            scene.worker.query_one(back, &[&token]).await.expect(back);
        }
    }
}

/// Nobody may run anything but those who are named: the others need no running job to be at their limit.
#[tokio::test]
async fn a_default_of_zero_holds_all_back_but_those_with_a_limit_of_their_own() {
    let scene = Scene::new().await;
    let jobs: Vec<_> =
        (0..3_000).map(|n| json!({"tenant_id": tenant(1 + n / 6), "type": "mail"})).collect();
    dispatch_batch(&scene.producer, &jobs).await;
    scene.limits(&[(Default, 0), (Tenant(tenant(500)), 3)]).await;
    for size in [1, 10] {
        let got = scene.claim_all(&Asking::of(size)).await;
        assert_eq!(got.len(), 3, "claims of {size}");
        let tokens: Vec<Uuid> = got.iter().map(|job| job.token).collect();
        let back = "select count(*) from fairclaim.release_claims('worker', $1)";
        scene.worker.query_one(back, &[&tokens]).await.expect(back);
    }
}
