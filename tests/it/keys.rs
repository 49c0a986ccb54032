//! Keys inside a tenant: of the jobs that share one no more run than may, whoever dispatches, claims, dies or settles meanwhile.

mod costs;
mod ends;
mod exact;
mod order;
mod seen;

use serde_json::json;
use uuid::Uuid;

use crate::{
    calls::{Claimed, claim_jobs, dispatch_object, tenant, tick},
    support::{Client, GenericClient, TestDb},
};

/// A database whose clock the test moves, with one login of each kind.
struct Stage {
    db: TestDb,
    producer: Client,
    worker: Client,
    operator: Client,
}

impl Stage {
    async fn new() -> Self {
        let db = TestDb::with_test_clock().await;
        let (producer, worker, operator) =
            (db.producer().await, db.worker().await, db.operator().await);
        Self { db, producer, worker, operator }
    }

    /// Dispatches a job of this key.
    async fn job(&self, key: &str) -> Uuid {
        keyed(&self.producer, key, false).await
    }

    /// A job that keeps its place while it waits for a retry.
    async fn ordered(&self, key: &str) -> Uuid {
        keyed(&self.producer, key, true).await
    }

    /// A tick that looks at everything.
    async fn tick(&self) {
        self.db.advance("1 s").await;
        tick(&self.worker).await;
    }

    /// Whatever can be claimed after a tick.
    async fn claim(&self) -> Vec<Claimed> {
        self.tick().await;
        claim_jobs(&self.worker, 100, &mut None).await
    }

    /// The one job that can be claimed after a tick.
    async fn one(&self) -> Claimed {
        let mut jobs = self.claim().await;
        assert_eq!(jobs.len(), 1, "{jobs:?}");
        jobs.remove(0)
    }

    /// The ids of what can be claimed after a tick.
    async fn ids(&self) -> Vec<Uuid> {
        self.claim().await.iter().map(|job| job.id).collect()
    }

    async fn limit(&self, key: &str, most: Option<i32>) {
        let sql = "select was from fairclaim.set_key_limit($1, $2, $3)";
        self.operator.query_one(sql, &[&tenant(1), &key, &most]).await.expect("a limit");
    }

    async fn count(&self, of: &str) -> i64 {
        let sql = format!("select count(*) from fairclaim_internal.{of}");
        self.db.owner().await.query_one(&sql, &[]).await.expect("a count").get(0)
    }

    /// Nothing of a key is left over when all jobs have ended.
    async fn expect_nothing_left(&self) {
        self.tick().await;
        for table in ["held", "key_slot", "key_note", "ready", "running", "scheduled"] {
            assert_eq!(self.count(table).await, 0, "{table}");
        }
    }
}

async fn keyed(producer: &impl GenericClient, key: &str, keep_order: bool) -> Uuid {
    let job =
        json!({"tenant_id": tenant(1), "type": "import", "key": key, "keep_order": keep_order});
    dispatch_object(producer, job).await
}

/// What a worker's one call claims.
async fn claim_whole(worker: &impl GenericClient, limit: i32) -> Vec<Claimed> {
    let sql = "select * from fairclaim.settle_and_claim('worker', null, null, null, null, null, null, null, null, $1,
                 p_lease => 10) where kind = 'claimed'";
    let rows = worker.query(sql, &[&limit]).await.expect("settle_and_claim");
    rows.iter().map(Claimed::from).collect()
}
