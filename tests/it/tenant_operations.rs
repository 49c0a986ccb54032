//! What operators do to everything that one tenant has: cancel, run again, move, export, purge, keep for less time.

mod cancels;
mod exports;
mod moves;
mod purges;
mod retentions;
mod retries;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    calls::{Claimed, dispatch_batch, settle_all, tenant},
    support::{Client, TestDb},
};

/// A database with the sessions that these tests use.
struct Stage {
    db: TestDb,
    producer: Client,
    worker: Client,
    operator: Client,
    owner: Client,
}

impl Stage {
    async fn set() -> Self {
        let db = TestDb::with_test_clock().await;
        let (producer, worker, operator, owner) =
            (db.producer().await, db.worker().await, db.operator().await, db.owner().await);
        Self { db, producer, worker, operator, owner }
    }

    /// Dispatches jobs of a tenant into a queue, each with its number as payload.
    async fn dispatch(&self, n: u128, queue: &str, count: usize) -> Vec<Uuid> {
        let job = |g| json!({"tenant_id": tenant(n), "type": "mail", "queue": queue, "payload": g});
        dispatch_batch(&self.producer, &(0..count).map(job).collect::<Vec<_>>()).await
    }

    /// Dispatches jobs that are delayed by an hour.
    async fn delayed(&self, n: u128, queue: &str, count: usize) -> Vec<Uuid> {
        let job = json!({"tenant_id": tenant(n), "type": "mail", "queue": queue, "delay": 3600});
        dispatch_batch(&self.producer, &vec![job; count]).await
    }

    /// Claims of one queue, all at once.
    async fn claim(&self, queue: &str, limit: i32) -> Vec<Claimed> {
        let sql = "select * from fairclaim.claim_jobs('worker', array[$1], $2, p_lease => 300)";
        let rows = self.worker.query(sql, &[&queue, &limit]).await.expect("claim_jobs");
        rows.iter().map(Claimed::from).collect()
    }

    /// Dispatches jobs and lets them fail for good.
    async fn failed(&self, n: u128, count: usize) -> Vec<Uuid> {
        let ids = self.dispatch(n, "failing", count).await;
        let jobs = self.claim("failing", 1_000).await;
        assert_eq!(jobs.len(), count);
        settle_all(&self.worker, &jobs, "fail").await;
        ids
    }

    /// How many jobs of a tenant there are in each status, by queue: `default pending 3`.
    async fn stands(&self, n: u128) -> Vec<String> {
        let sql = "select format('%s %s %s', queue, status, count(*)) from fairclaim.job_overview
                    where tenant_id = $1 group by queue, status order by queue, status";
        let rows = self.operator.query(sql, &[&tenant(n)]).await.expect("job_overview");
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// Everything that a tenant has in the tables of jobs, as text.
    async fn everything(&self, n: u128) -> Value {
        let sql = "select jsonb_build_object(
                     'job', (select jsonb_agg(to_jsonb(j) order by id) from fairclaim_internal.job j where tenant_id = $1),
                     'ready', (select jsonb_agg(to_jsonb(r) order by id) from fairclaim_internal.ready r where tenant_id = $1),
                     'scheduled', (select jsonb_agg(to_jsonb(s) order by id) from fairclaim_internal.scheduled s where tenant_id = $1),
                     'running', (select jsonb_agg(to_jsonb(u) order by id) from fairclaim_internal.running u where tenant_id = $1),
                     'finished', (select jsonb_agg(to_jsonb(f) order by id) from fairclaim_internal.finished f where tenant_id = $1),
                     'errors', (select jsonb_agg(to_jsonb(e) order by id, attempt) from fairclaim_internal.attempt_error e where tenant_id = $1))";
        self.owner.query_one(sql, &[&tenant(n)]).await.expect("everything").get(0)
    }

    /// Each job stands in exactly one of the tables of states, and none of them names a job that is not there.
    async fn one_place_each(&self) {
        let sql = "with place as (
                     select id, tenant_id from fairclaim_internal.ready union all select id, tenant_id from fairclaim_internal.scheduled
                     union all select id, tenant_id from fairclaim_internal.running union all select id, tenant_id from fairclaim_internal.finished)
                   select (select count(*) from (select id from fairclaim_internal.job full join (select id, count(*) as n from place group by id) p using (id)
                            where p.n is distinct from 1 or job.queue is null) wrong)";
        let wrong: i64 = self.owner.query_one(sql, &[]).await.expect("places").get(0);
        assert_eq!(wrong, 0, "jobs in no place or in two");
    }
}

/// Calls a function of steps until it is through; answers the sum of a column.
async fn all_steps(session: &Client, call: &str, column: &str) -> i32 {
    let (mut sum, mut after) = (0, None::<Uuid>);
    loop {
        let row = session.query_one(call, &[&after]).await.expect(call);
        sum += row.get::<_, i32>(column);
        after = row.get("next");
        if after.is_none() {
            return sum;
        }
    }
}
