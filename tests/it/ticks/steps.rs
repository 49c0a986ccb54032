//! Each step of a tick stands for itself: one that fails is told, made smaller, and passes over the row at which it fails.

use uuid::Uuid;

use super::number;
use crate::{
    calls::{claim_jobs, dispatch, tenant, tick},
    support::{Client, TestDb},
};

/// A trigger of somebody else's that refuses one job in a table, before it is inserted.
async fn refuse_in(owner: &Client, table: &str, id: Uuid) {
    let sql = format!(
        "create function fairclaim.poison() returns trigger language plpgsql as $$
           begin
             if new.id = '{id}' then
               raise exception 'SECRET of the row';
             end if;
             return new;
           end $$;
         create trigger poison before insert on fairclaim_internal.{table} for each row execute function fairclaim.poison()"
    );
    owner.batch_execute(&sql).await.expect("a trigger");
}

async fn allow_again(owner: &Client) {
    owner.batch_execute("drop function fairclaim.poison() cascade").await.expect("drop");
}

async fn failed(worker: &Client) -> Vec<String> {
    tick(worker).await.get("failed")
}

/// What the doctor is told: the step, its code and its text, and the jobs that are passed over.
async fn faults(db: &TestDb) -> Vec<(String, String, String, Vec<Uuid>)> {
    let sql =
        "select step, sqlstate, note, passed from fairclaim_internal.tick_fault order by step";
    let rows = db.owner().await.query(sql, &[]).await.expect(sql);
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2), row.get(3))).collect()
}

/// Jobs that run, of which each lease ends.
async fn abandoned(db: &TestDb, count: u128) -> Vec<Uuid> {
    let (producer, worker) = (db.producer().await, db.worker().await);
    let mut ids = Vec::new();
    for n in 0..count {
        ids.push(dispatch(&producer, tenant(n), "mail").await);
    }
    assert_eq!(claim_jobs(&worker, 1_000, &mut None).await.len(), ids.len());
    ids
}

/// Ticks until a step has got by, and no more than it may need.
async fn ticks(worker: &Client, most: usize) {
    for _ in 0..most {
        tick(worker).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_loss_cannot_be_written_down_is_passed_over_and_named() {
    let db = TestDb::with_test_clock().await;
    let (worker, owner) = (db.worker().await, db.owner().await);
    let ids = abandoned(&db, 9).await;
    refuse_in(&owner, "attempt_error", ids[4]).await;
    db.advance("6 min").await;
    assert_eq!(failed(&worker).await, ["return"]);
    ticks(&worker, 40).await;
    assert_eq!(
        number(&owner, "select count(*) from fairclaim_internal.running").await,
        1,
        "the others are back"
    );
    let found = faults(&db).await;
    let (step, code, note, passed) = &found[0];
    assert_eq!((step.as_str(), code.as_str()), ("return", "P0001"));
    assert!(!note.contains("SECRET"), "{note}");
    assert_eq!(passed, &[ids[4]]);

    allow_again(&owner).await;
    db.advance("2 min").await;
    ticks(&worker, 20).await;
    assert_eq!(number(&owner, "select count(*) from fairclaim_internal.running").await, 0);
    assert!(faults(&db).await.is_empty(), "it has healed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_cannot_end_is_passed_over_at_its_last_loss() {
    let db = TestDb::with_test_clock().await;
    let (worker, owner) = (db.worker().await, db.owner().await);
    let ids = abandoned(&db, 5).await;
    owner
        .batch_execute("update fairclaim_internal.running set lost = 2")
        .await
        .expect("lost twice");
    refuse_in(&owner, "finished", ids[0]).await;
    db.advance("6 min").await;
    ticks(&worker, 40).await;
    let ended = "select count(*) from fairclaim_internal.finished where status = 'failed'";
    assert_eq!(number(&owner, ended).await, 4);
    assert_eq!(faults(&db).await[0].3, [ids[0]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn due_jobs_pass_one_that_no_lane_takes() {
    let db = TestDb::with_test_clock().await;
    let (producer, worker, owner) = (db.producer().await, db.worker().await, db.owner().await);
    let later =
        "select fairclaim.dispatch_job($1, 'mail', p_run_at => fairclaim.clock() + interval '5 s')";
    let mut ids: Vec<Uuid> = Vec::new();
    for n in 0..12 {
        ids.push(producer.query_one(later, &[&tenant(n)]).await.expect("dispatch_job").get(0));
    }
    refuse_in(&owner, "ready", ids[7]).await;
    db.advance("10 s").await;
    assert_eq!(failed(&worker).await, ["promote"]);
    ticks(&worker, 40).await;
    assert_eq!(claim_jobs(&worker, 100, &mut None).await.len(), 11);
    assert_eq!(faults(&db).await[0].3, [ids[7]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_on_a_table_that_one_step_needs_stops_no_other() {
    let db = TestDb::with_test_clock().await;
    let (producer, worker, owner) = (db.producer().await, db.worker().await, db.owner().await);
    let later =
        "select fairclaim.dispatch_job($1, 'mail', p_run_at => fairclaim.clock() + interval '5 s')";
    for table in ["renewal", "cancel_request", "floor_hint", "running"] {
        let open = db.owner().await;
        open.batch_execute(&format!("begin; lock table fairclaim_internal.{table}"))
            .await
            .expect("lock");
        producer.execute(later, &[&tenant(1)]).await.expect("dispatch_job");
        db.advance("10 s").await;
        let row = tick(&worker).await;
        assert_eq!(row.get::<_, i32>("promoted"), 1, "{table}: {row:?}");
        open.batch_execute("rollback").await.expect("rollback");
        db.advance("10 s").await;
        ticks(&worker, 3).await;
        assert!(faults(&db).await.is_empty(), "{table}");
    }
    assert_eq!(number(&owner, "select count(*) from fairclaim_internal.ready").await, 4);
}

/// Each lost lease costs a millisecond at least here, so all of them are more than the statement may take.
#[tokio::test(flavor = "multi_thread")]
async fn ticks_under_a_short_time_out_get_smaller_until_they_fit() {
    let db = TestDb::with_test_clock().await;
    let (producer, worker, owner) = (db.producer().await, db.worker().await, db.owner().await);
    crate::calls::dispatch_many(&producer, tenant(1), "default", "mail", 3_000).await;
    for _ in 0..3 {
        assert_eq!(claim_jobs(&worker, 1_000, &mut None).await.len(), 1_000);
    }
    owner
        .batch_execute(
            "create function fairclaim.slow() returns trigger language plpgsql as $$ begin perform pg_sleep(0.001); return new; end $$;
             create trigger slow before insert on fairclaim_internal.attempt_error for each row execute function fairclaim.slow()",
        )
        .await
        .expect("a trigger");
    db.advance("6 min").await;
    worker.batch_execute("set statement_timeout = '1 s'").await.expect("set");
    let mut returned = 0;
    for _ in 0..5 {
        returned += tick(&worker).await.get::<_, i32>("returned");
    }
    assert!(returned > 0, "none of five ticks came through");
    let found = faults(&db).await;
    assert_eq!((found[0].0.as_str(), found[0].1.as_str()), ("return", "57014"));
    assert!(found[0].3.is_empty(), "it is no job's fault");
}
