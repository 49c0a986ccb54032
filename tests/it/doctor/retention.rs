//! Ranges of ids and history that should have gone.

use fairclaim::Level;

use super::{assert_found, examine};
use crate::{
    calls::{claim_jobs, dispatch, settle_all, tenant, tick},
    support::TestDb,
};

#[tokio::test(flavor = "multi_thread")]
async fn ranges_that_end_and_jobs_past_retention_are_told() {
    let db = TestDb::with_test_clock().await;
    assert_found(&examine(&db, "test_operator").await, "ranges", Level::Ok, &["days ahead"]);
    db.advance("5 days").await;
    assert_found(&examine(&db, "test_operator").await, "ranges", Level::Warning, &["ahead"]);
    db.advance("2 days").await;
    assert_found(&examine(&db, "test_operator").await, "ranges", Level::Error, &["ended"]);
    db.advance("20 days").await;
    assert_found(&examine(&db, "test_operator").await, "retention", Level::Warning, &["7 days"]);
    let worker = db.worker().await;
    tick(&worker).await;
    for _ in 0..8 {
        worker.batch_execute("select fairclaim.drop_ranges()").await.expect("drop_ranges");
    }
    let diagnosis = examine(&db, "test_operator").await;
    assert_found(&diagnosis, "ranges", Level::Ok, &[]);
    assert_found(&diagnosis, "retention", Level::Ok, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_before_the_first_range_and_ranges_far_ahead_are_told() {
    let db = TestDb::with_test_clock().await;
    let worker = db.worker().await;
    db.advance("-60 days").await;
    assert_found(&examine(&db, "test_operator").await, "ranges", Level::Error, &["before"]);
    tick(&worker).await;
    assert_found(&examine(&db, "test_operator").await, "ranges", Level::Note, &["far ahead"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_ranges_that_every_claim_pays_for_them_are_told() {
    let db = TestDb::with_test_clock().await;
    let owner = db.owner().await;
    owner
        .batch_execute(
            "select fairclaim_internal.make_range(b.at + g * interval '1 minute', b.at + (g + 1) * interval '1 minute')
               from generate_series(0, 69) g,
                    (select min(r.starts_at) - interval '70 minutes' as at from fairclaim_internal.id_range r offset 0) b",
        )
        .await
        .expect("ranges");
    assert_found(&examine(&db, "test_operator").await, "ranges", Level::Warning, &["there are 7"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_cannot_be_deleted_is_told_by_its_id() {
    let db = TestDb::with_test_clock().await;
    let (producer, worker, owner) = (db.producer().await, db.worker().await, db.owner().await);
    let id = dispatch(&producer, tenant(1), "mail").await;
    settle_all(&worker, &claim_jobs(&worker, 1, &mut None).await, "complete").await;
    assert_found(&examine(&db, "test_operator").await, "undeletable", Level::Ok, &[]);
    owner
        .batch_execute(
            "create function fairclaim.refuse_delete() returns trigger language plpgsql
               as $$ begin raise exception 'not this one' using errcode = 'ZZ999'; end $$;
             create trigger refuse before delete on fairclaim_internal.finished for each row execute function fairclaim.refuse_delete()",
        )
        .await
        .expect("a trigger");
    db.advance("2 hours").await;
    let sql = "select * from fairclaim.prune(3600)";
    db.operator().await.query(sql, &[]).await.expect(sql);
    let sql = "select count(*) from fairclaim_internal.prune_fault";
    let faults: i64 = owner.query_one(sql, &[]).await.expect(sql).get(0);
    assert_eq!(faults, 1);
    let named = &["1 job past", "ZZ999", &id.to_string()];
    assert_found(&examine(&db, "test_operator").await, "undeletable", Level::Warning, named);
}
