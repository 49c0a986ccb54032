//! `tenant_stats`, `queue_stats` and `why_waiting`: figures against a hand count, what they cost, and who may ask.

#![allow(clippy::float_cmp, reason = "counts are whole numbers, and the clock stands")]

mod bounds;
mod figures;
mod pages;
mod why;

use tokio_postgres::Row;

use crate::{
    calls::tick,
    notify::stop_clock,
    support::{Client, TestDb},
};

/// A database whose clock stands, a second after a full hour, so that no window changes its slot by chance.
struct Stage {
    db: TestDb,
    producer: Client,
    worker: Client,
    operator: Client,
}

impl Stage {
    async fn new() -> Self {
        let db = TestDb::with_test_clock().await;
        stop_clock(&db).await;
        let align = "update fairclaim_internal.test_clock
                        set shift = shift + (date_trunc('hour', fairclaim.clock()) + interval '1 hour 1 s' - fairclaim.clock())";
        db.owner().await.execute(align, &[]).await.expect("the clock");
        let (producer, worker, operator) =
            (db.producer().await, db.worker().await, db.plain_operator().await);
        let stage = Self { db, producer, worker, operator };
        stage.refresh(0).await;
        stage
    }

    /// Lets some seconds pass, and then a tick.
    async fn refresh(&self, seconds: u32) {
        self.db.advance(&format!("{seconds} s")).await;
        let row = tick(&self.worker).await;
        assert_eq!(row.get::<_, Vec<String>>("failed"), Vec::<String>::new(), "{row:?}");
    }

    async fn tenants(&self) -> Vec<Row> {
        let sql = "select * from fairclaim.tenant_stats()";
        self.operator.query(sql, &[]).await.expect("tenant_stats")
    }

    async fn queue(&self, queue: &str) -> Row {
        let sql = "select * from fairclaim.queue_stats($1)";
        self.operator.query_one(sql, &[&queue]).await.expect("queue_stats")
    }
}

/// Columns of numbers, in their order.
fn figures(row: &Row, columns: &[&str]) -> Vec<f64> {
    columns.iter().map(|column| row.get::<_, f64>(*column)).collect()
}
