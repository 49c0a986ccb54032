//! An open dispatcher, an open settlement and an open reader of `job` at once, while ticks add ranges and time goes into
//! them: a round is a day.

use super::others::{OWN, Others, SHARED, single};
use crate::{
    calls::{settle, tenant},
    support::{Client, TestDb},
};

/// How many ranges there are, and where they end, in milliseconds.
async fn ranges(owner: &Client) -> (i64, i64) {
    let sql = "select count(*), fairclaim_internal.millis(max(r.ends_at)) from fairclaim_internal.id_range r";
    let row = owner.query_one(sql, &[]).await.expect("ranges");
    (row.get(0), row.get(1))
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_are_added_while_everybody_stays_open() {
    let db = TestDb::with_test_clock().await;
    let (mut slow, mut settler, mut reader, owner) =
        (db.producer().await, db.worker().await, db.auditor().await, db.owner().await);
    let mut others = Others::start(&db, "mail").await;

    let dispatching = slow.transaction().await.expect("begin");
    let mut late = Vec::new();
    for (n, priority) in [(1, OWN), (2, SHARED)] {
        late.push(single(&dispatching, tenant(n), "mail", priority).await);
        late.push(single(&dispatching, tenant(n), "report", priority).await);
    }
    let settling = settler.transaction().await.expect("begin");
    assert!(settle(&settling, &others.kept[0], "complete").await.accepted);
    let reading = reader.transaction().await.expect("begin");
    reading.query("select * from fairclaim.job_queue", &[]).await.expect("read");

    let before = ranges(&owner).await;
    for _ in 0..10 {
        others.round("1 day").await;
    }
    assert!(ranges(&owner).await.0 > before.0, "no range was added beside open transactions");
    let beyond =
        "select count(*) from fairclaim_internal.job where id >= fairclaim_internal.id_at($1)";
    let beyond: i64 = owner.query_one(beyond, &[&before.1]).await.expect("jobs").get(0);
    assert!(beyond > 100, "only {beyond} jobs went into ranges that were added meanwhile");

    reading.rollback().await.expect("rollback");
    settling.commit().await.expect("commit");
    dispatching.commit().await.expect("commit");
    others.kept.remove(0);
    others.tick().await;
    others.serve(late).await;
    others.finish(4, 2).await;
}
