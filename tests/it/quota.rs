//! Quotas on waiting jobs, and what is being drained.

mod delayed;
mod drains;
mod large;
mod overshoot;
mod refusals;

use uuid::Uuid;

use crate::support::{Client, TestDb};

/// A database with the sessions that these tests use.
struct Stage {
    db: TestDb,
    producer: Client,
    worker: Client,
    owner: Client,
}

impl Stage {
    async fn set() -> Self {
        let db = TestDb::with_test_clock().await;
        let (producer, worker, owner) = (db.producer().await, db.worker().await, db.owner().await);
        Self { db, producer, worker, owner }
    }

    /// Sets a quota: of a tenant, or the default one; over all queues, or in one.
    async fn quota(&self, tenant: Option<Uuid>, queue: &str, most: i32, refuses: bool) {
        let sql = "insert into fairclaim_internal.waiting_limit (subject, tenant_id, queue, max_waiting, refuses)
                   values (case when $1::uuid is null then 'default' else 'tenant' end, coalesce($1, uuid_nil()), $2, $3, $4)
                   on conflict (tenant_id, queue, subject) do update set max_waiting = excluded.max_waiting, refuses = excluded.refuses";
        let sql = sql.replace("uuid_nil()", "'00000000-0000-0000-0000-000000000000'");
        self.owner.execute(&sql, &[&tenant, &queue, &most, &refuses]).await.expect("a quota");
    }

    /// How many jobs of a tenant wait, by the tables.
    async fn waiting(&self, tenant: Uuid) -> i64 {
        let sql = "select (select count(*) from fairclaim_internal.ready where tenant_id = $1)
                        + (select count(*) from fairclaim_internal.scheduled where tenant_id = $1)";
        self.owner.query_one(sql, &[&tenant]).await.expect("waiting").get(0)
    }

    /// How many jobs of a tenant were written at all.
    async fn jobs(&self, tenant: Uuid) -> i64 {
        let sql = "select count(*) from fairclaim_internal.job where tenant_id = $1";
        self.owner.query_one(sql, &[&tenant]).await.expect("jobs").get(0)
    }

    /// A tick that looks at everything.
    async fn round(&self) {
        self.db.advance("1 s").await;
        let row = crate::calls::tick(&self.worker).await;
        assert_eq!(row.get::<_, Vec<String>>("failed"), Vec::<String>::new());
    }
}
