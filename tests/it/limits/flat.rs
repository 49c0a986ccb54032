//! What a claim reads does not grow with the tenants that are at their limits: they are out of its way.

use serde_json::json;

use super::{Asking, Scene};
use crate::{
    calls::{
        Bound::{Default, Tenant},
        dispatch_batch, dispatch_many, tenant,
    },
    costs::least,
};

const TENANTS: i64 = 1_000;
/// Of each tenant, in two calls: some wait in the shared lane, and more in an own one.
const JOBS: [i64; 2] = [3, 9];

impl Scene {
    /// Jobs of a thousand tenants wait, and then those of one more, who has room for all of them.
    async fn a_thousand_wait(&self, default: Option<i32>, own: Option<i32>) {
        if let Some(max) = default {
            self.limits(&[(Default, max)]).await;
        }
        for jobs in JOBS {
            let all: Vec<_> = (0..TENANTS * jobs)
                .map(|n| json!({"tenant_id": tenant(u128::try_from(1 + n % TENANTS).expect("few")), "type": "mail"}))
                .collect();
            dispatch_batch(&self.producer, &all).await;
        }
        let mut running = 0;
        while running < 1_000 {
            let got = Asking::of(1_000 - running).claim(&self.worker).await;
            assert!(!got.is_empty(), "{running} are running");
            running += i32::try_from(got.len()).expect("few");
        }
        if let Some(max) = own {
            let sql = "insert into fairclaim_internal.running_limit (subject, tenant_id, queue, max_running)
                       select distinct 'tenant', r.tenant_id, '', $1::int from fairclaim_internal.ready r";
            self.owner.execute(sql, &[&max]).await.expect("limits");
        }
        self.limits(&[(Tenant(tenant(100_000)), 10_000)]).await;
        dispatch_many(&self.producer, tenant(100_000), "default", "mail", 500).await;
        self.ticks(12).await;
        let statistics = "analyze fairclaim_internal.ready; analyze fairclaim_internal.lane;
                          analyze fairclaim_internal.running; analyze fairclaim_internal.at_limit";
        self.owner.batch_execute(statistics).await.expect("analyze");
        // what the lanes were before they left the walk: autovacuum takes it away within a minute
        self.owner.batch_execute("vacuum fairclaim_internal.lane").await.expect("vacuum");
    }

    /// Pages that a claim of one and a claim of ten read.
    async fn pages(&self) -> [i64; 2] {
        let mut pages = [0, 0];
        for (n, size) in [(0, 1), (1, 10)] {
            let sql =
                format!("select id from fairclaim.claim_jobs('w', null, {size}, p_lease => 3600)");
            pages[n] = least(&self.worker, &sql).await.pages;
        }
        pages
    }
}

fn at_most_1_3_times(what: &str, pages: [i64; 2], without: [i64; 2]) {
    for (size, n) in [(1, 0), (10, 1)] {
        assert!(
            pages[n] * 10 <= without[n] * 13,
            "{what}: a claim of {size} reads {} pages, and {} with nobody at a limit",
            pages[n],
            without[n]
        );
    }
}

#[tokio::test]
async fn a_claim_reads_no_more_beside_a_thousand_tenants_at_their_limit() {
    let without = Scene::new().await;
    without.a_thousand_wait(Some(1_000), None).await;
    let with = Scene::new().await;
    with.a_thousand_wait(Some(1), None).await;
    at_most_1_3_times("a default of 1", with.pages().await, without.pages().await);
}

#[tokio::test]
async fn a_claim_reads_no_more_beside_a_thousand_paused_tenants() {
    let without = Scene::new().await;
    without.a_thousand_wait(None, Some(1_000)).await;
    let with = Scene::new().await;
    with.a_thousand_wait(None, Some(0)).await;
    at_most_1_3_times("a limit of 0", with.pages().await, without.pages().await);
}
