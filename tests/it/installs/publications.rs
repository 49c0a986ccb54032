//! Databases whose tables are published, as tools for change data capture do it: then a table without a key refuses every delete.

use crate::{
    calls::{Settled, claim_job, dispatch, refused, settle_after, tenant, tick},
    support::TestDb,
};

#[tokio::test]
async fn every_table_has_a_primary_key() {
    let db = TestDb::new().await;
    let sql = "select c.relname::text from pg_class c
                where c.relnamespace = any ('{fairclaim,fairclaim_internal}'::regnamespace[]) and c.relkind in ('r', 'p')
                  and not exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary and i.indisvalid)";
    let rows = db.owner().await.query(sql, &[]).await.expect("pg_class");
    let without: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(without, [] as [&str; 0]);
}

/// Everything that deletes or updates a row, some of it by ticks and by prune.
async fn a_life_of_jobs(db: &TestDb) {
    let (producer, worker, operator) =
        (db.producer().await, db.worker().await, db.operator().await);
    let change = async |function: &str, id| {
        let sql = format!("select status from fairclaim.{function}(null, array[$1::uuid])");
        let row = operator.query_one(&sql, &[&id]).await.expect(function);
        row.get::<_, Option<String>>(0)
    };
    let claim = async |wanted| {
        let job = claim_job(&worker, "worker").await.expect("a job is due");
        assert_eq!(job.id, wanted);
        job
    };
    let pass = async |interval: &str| {
        db.advance(interval).await;
        tick(&worker).await;
    };
    let id = dispatch(&producer, tenant(1), "mail").await;
    let retried = settle_after(&worker, &claim(id).await, "retry", Some(60.0)).await;
    assert_eq!(retried, Settled::as_status("scheduled"));
    pass("61 s").await;
    claim(id).await;
    pass("5 min").await;
    assert_eq!(claim(id).await.lost, 1, "its lease came back");
    assert_eq!(change("cancel_jobs", id).await.as_deref(), Some("processing"));
    pass("5 min").await;
    pass("10 s").await;
    assert_eq!(change("retry_jobs", id).await.as_deref(), Some("pending"));
    assert_eq!(change("cancel_jobs", id).await.as_deref(), Some("cancelled"));
    let waiting = dispatch(&producer, tenant(2), "mail").await;
    claim(waiting).await;
    assert_eq!(change("release_jobs", waiting).await.as_deref(), Some("pending"));
    assert_eq!(change("cancel_jobs", waiting).await.as_deref(), Some("cancelled"));
    for _ in 0..3 {
        pass("10 days").await;
    }
    let pruned = worker.query_one("select * from fairclaim.prune()", &[]).await.expect("prune");
    let (dropped, deleted): (i32, i64) = (pruned.get("ranges_dropped"), pruned.get("rows_deleted"));
    assert!(dropped > 0 || deleted > 0, "nothing was pruned");
    let renewal = "insert into fairclaim_internal.renewal values (-1, 0, 0); delete from fairclaim_internal.renewal; delete from fairclaim_internal.floor_hint";
    db.owner().await.batch_execute(renewal).await.expect("what only a long transaction leads to");
}

async fn publish(db: &TestDb, what: &str) {
    let create = format!(
        "create publication everything {what}; alter table fairclaim_internal.test_clock replica identity full"
    );
    db.superuser_here().await.batch_execute(&create).await.expect(what);
}

#[tokio::test]
async fn jobs_live_and_end_where_every_table_is_published() {
    for publication in ["for all tables", "for tables in schema fairclaim"] {
        let db = TestDb::with_test_clock().await;
        publish(&db, publication).await;
        a_life_of_jobs(&db).await;
    }
}

/// The control: a table that had no key would be noticed.
#[tokio::test]
async fn a_table_without_a_key_refuses_deletes_where_everything_is_published() {
    let db = TestDb::with_test_clock().await;
    publish(&db, "for all tables").await;
    let drop = "alter table fairclaim_internal.cancel_request drop constraint cancel_request_pkey";
    db.owner().await.batch_execute(drop).await.expect(drop);
    let wishes = "delete from fairclaim_internal.cancel_request where false";
    let error = db.owner().await.batch_execute(wishes).await;
    assert!(refused(error, "55000").message().contains("replica identity"));
}
