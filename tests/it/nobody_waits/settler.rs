//! A transaction that has settled a job and stays open, for longer than the job's lease.

use tokio_postgres::types::ToSql;

use super::{others::Others, prompt};
use crate::{
    calls::{settle, tick},
    support::TestDb,
};

/// What goes on meanwhile, and what it ends as.
async fn open_past_the_lease(commit: bool) {
    let db = TestDb::with_test_clock().await;
    let (mut slow, producer) = (db.worker().await, db.producer().await);
    let mut others = Others::start(&db, "mail").await;
    let settled = others.kept[0].clone();
    let open = slow.transaction().await.expect("begin");
    assert!(settle(&open, &settled, "complete").await.accepted);
    for _ in 0..11 {
        others.round("6 s").await; // its lease is not extended: the row is locked
    }
    others.kept.remove(0);
    if commit {
        let cancel = "select status from fairclaim.cancel_jobs($1, array[$2::uuid])";
        let arguments: [&(dyn ToSql + Sync); 2] = [&settled.tenant, &settled.id];
        let row = prompt("a cancel", producer.query_one(cancel, &arguments)).await;
        let status: String = row.expect("cancel_jobs").get(0);
        assert_eq!(status, "processing", "it is not over yet");
        open.commit().await.expect("commit");
        others.finish(0, 2).await; // it is completed: that wins over the cancel
    } else {
        open.rollback().await.expect("rollback");
        db.advance("6 s").await;
        let row = prompt("a tick", tick(&others.worker)).await;
        assert_eq!(row.get::<_, i32>("returned"), 1, "it is held by a lease that has expired");
        others.serve(vec![settled.id]).await;
        others.finish(0, 3).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_settling_transaction_open_past_its_lease_delays_nobody() {
    open_past_the_lease(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_settling_transaction_that_is_undone_gives_its_job_back() {
    open_past_the_lease(false).await;
}
