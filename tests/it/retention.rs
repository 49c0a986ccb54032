//! Retention row by row: what is past it goes in short steps, in ranges that are still open too; nothing else goes, nobody
//! waits, and nothing that refuses to go stops the rest.

use std::time::Duration;

use serde_json::json;
use tokio_postgres::error::SqlState;
use uuid::Uuid;

use crate::{
    calls::{
        claim_jobs, dispatch, dispatch_batch, dispatch_object, settle, settle_all, tenant, tick,
    },
    support::{Client, TestDb},
};

async fn count(owner: &Client, sql: &str) -> i64 {
    owner.query_one(sql, &[]).await.expect(sql).get(0)
}

const JOBS: &str = "select count(*) from fairclaim_internal.job";

/// What one call answered.
#[derive(Debug, PartialEq)]
struct Pruned {
    deleted: i64,
    passed_over: i32,
    busy: bool,
    more: bool,
}

async fn call(session: &Client, sql: &str) -> Pruned {
    let row = session.query_one(sql, &[]).await.expect(sql);
    Pruned {
        deleted: row.get("rows_deleted"),
        passed_over: row.get("passed_over"),
        busy: row.get("busy"),
        more: row.get("more"),
    }
}

const PRUNE: &str = "select * from fairclaim.prune()";
const OF_AN_HOUR: &str = "select * from fairclaim.prune(3600)";

/// Calls until there is no more: how many jobs went.
async fn prune_all(session: &Client, sql: &str) -> i64 {
    let mut deleted = 0;
    loop {
        let step = call(session, sql).await;
        deleted += step.deleted;
        if !step.more {
            return deleted;
        }
    }
}

/// So many jobs of a tenant that have ended.
async fn ended(db: &TestDb, jobs: usize) -> Vec<Uuid> {
    let (producer, worker) = (db.producer().await, db.worker().await);
    let all = vec![json!({"tenant_id": tenant(1), "type": "mail"}); jobs];
    let ids = dispatch_batch(&producer, &all).await;
    let claimed = claim_jobs(&worker, i32::try_from(jobs).expect("few"), &mut None).await;
    assert_eq!(claimed.len(), jobs);
    settle_all(&worker, &claimed, "complete").await;
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_deletes_what_ended_an_hour_ago_and_nothing_else() {
    let db = TestDb::with_test_clock().await;
    let (producer, worker, operator, owner) =
        (db.producer().await, db.worker().await, db.operator().await, db.owner().await);
    for _ in 0..3 {
        ended(&db, 500).await;
    }
    dispatch(&producer, tenant(1), "mail").await;
    let late = claim_jobs(&worker, 1, &mut None).await;
    let later = "select to_jsonb(fairclaim.clock() + interval '30 days') #>> '{}'";
    let later: String = owner.query_one(later, &[]).await.expect(later).get(0);
    let due = json!({"tenant_id": tenant(1), "type": "mail", "run_at": later});
    dispatch_object(&producer, due).await;
    dispatch(&producer, tenant(2), "mail").await;
    assert_eq!(prune_all(&operator, OF_AN_HOUR).await, 0);
    db.advance("59 minutes").await;
    settle(&worker, &late[0], "complete").await;
    assert_eq!(prune_all(&operator, OF_AN_HOUR).await, 0);
    db.advance("2 minutes").await;
    assert_eq!(prune_all(&operator, OF_AN_HOUR).await, 1500, "in a range that is still open");
    assert_eq!(count(&owner, JOBS).await, 3, "what ended late, what is due later, what waits");
    assert_eq!(count(&owner, "select count(*) from fairclaim_internal.finished").await, 1);
    db.advance("1 hour").await;
    assert_eq!(prune_all(&operator, OF_AN_HOUR).await, 1);
    assert_eq!(count(&owner, JOBS).await, 2);
}

/// Ranges are made for the retention of that day. Another day, with another retention, they are still there.
#[tokio::test(flavor = "multi_thread")]
async fn a_retention_that_is_shorter_now_holds_in_ranges_of_a_longer_one() {
    let db = TestDb::with_test_clock().await;
    let (worker, owner) = (db.worker().await, db.owner().await);
    let set = "update fairclaim_internal.setting set retention = $1::text::interval";
    owner.execute(set, &[&"1 year"]).await.expect(set);
    db.advance("9 days").await;
    tick(&worker).await;
    ended(&db, 50).await;
    owner.execute(set, &[&"1 day"]).await.expect(set);
    db.advance("23 hours").await;
    assert_eq!(prune_all(&worker, PRUNE).await, 0, "a job is kept for the retention");
    db.advance("10 hours").await;
    assert_eq!(prune_all(&worker, PRUNE).await, 50, "and goes a third of it later");
    assert_eq!(count(&owner, JOBS).await, 0);
}

/// Between rounds only what has become old is looked at: the dead rows before it are not walked again.
#[tokio::test(flavor = "multi_thread")]
async fn pruning_goes_on_where_it_ended() {
    let db = TestDb::with_test_clock().await;
    let (worker, owner) = (db.worker().await, db.owner().await);
    ended(&db, 20).await;
    let kept = claim_jobs_of(&db).await;
    db.advance("10 days").await;
    assert_eq!(call(&worker, PRUNE).await.deleted, 20);
    let round = "select extract(epoch from round_at)::bigint from fairclaim_internal.prune_place where not asked";
    let began = count(&owner, round).await;
    settle(&worker, &kept, "complete").await;
    tick(&worker).await;
    for _ in 0..3 {
        ended(&db, 20).await;
        db.advance("1 day").await;
    }
    assert_eq!(prune_all(&worker, PRUNE).await, 0);
    db.advance("3 days").await;
    assert_eq!(prune_all(&worker, PRUNE).await, 0);
    assert_eq!(count(&owner, round).await, began, "another round began");
    db.advance("5 days").await;
    // what ended behind the place is found by the round after it
    assert_eq!(prune_all(&worker, PRUNE).await, 41);
    assert!(count(&owner, round).await > began);
}

/// One job that runs for a while.
async fn claim_jobs_of(db: &TestDb) -> crate::calls::Claimed {
    dispatch(&db.producer().await, tenant(3), "mail").await;
    let sql = "select * from fairclaim.claim_jobs('w', null, 1, p_lease => 86400)";
    let row = db.worker().await.query_one(sql, &[]).await.expect(sql);
    crate::calls::Claimed::from(&row)
}

/// Sessions that must not wait: a call of each kind, given up after five seconds.
async fn others_go_on(db: &TestDb) {
    let (producer, worker, operator) =
        (db.producer().await, db.worker().await, db.operator().await);
    for session in [&producer, &worker, &operator] {
        session.batch_execute("set statement_timeout = '5s'").await.expect("set");
    }
    dispatch(&producer, tenant(2), "mail").await;
    let jobs = claim_jobs(&worker, 5, &mut None).await;
    assert_eq!(jobs.len(), 1);
    settle_all(&worker, &jobs, "complete").await;
    assert!(!tick(&worker).await.get::<_, bool>("busy"));
    let list = "select count(*) from fairclaim.list_jobs()";
    operator.query_one(list, &[]).await.expect(list);
    let retry =
        "select * from fairclaim.retry_jobs(null, array(select id from fairclaim.job_overview))";
    operator.query(retry, &[]).await.expect(retry);
    let again = claim_jobs(&worker, 100, &mut None).await;
    settle_all(&worker, &again, "complete").await;
    let step = call(&worker, PRUNE).await;
    assert!(step.busy && step.deleted == 0, "{step:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prune_that_stays_open_or_is_prepared_is_in_nobodys_way() {
    let db = TestDb::with_test_clock().await;
    let (open, owner) = (db.worker().await, db.owner().await);
    for end in ["rollback", "prepare transaction 'prune'"] {
        ended(&db, 10).await;
        db.advance("10 days").await;
        tick(&open).await;
        open.batch_execute("begin").await.expect("begin");
        assert!(call(&open, PRUNE).await.deleted >= 10);
        let exclusive = "select count(*) from pg_locks where pid = pg_backend_pid() and locktype = 'relation'
                            and mode not in ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock')";
        assert_eq!(open.query_one(exclusive, &[]).await.expect("locks").get::<_, i64>(0), 0);
        if end == "rollback" {
            others_go_on(&db).await;
        }
        open.batch_execute(end).await.expect(end);
    }
    others_go_on(&db).await;
    open.batch_execute("commit prepared 'prune'").await.expect("commit");
    let step = call(&open, PRUNE).await;
    assert!(!step.busy, "{step:?}");
    assert_eq!(count(&owner, "select count(*) from fairclaim_internal.prune_fault").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_dropped_a_range_ends_soon_and_cannot_be_prepared() {
    for temporary in [true, false] {
        let db = TestDb::with_test_clock().await;
        if !temporary {
            let revoke = format!("revoke temporary on database {} from public", db.name());
            db.superuser().await.batch_execute(&revoke).await.expect("revoke");
        }
        let worker = db.direct_session("test_worker").await;
        db.advance("30 days").await;
        tick(&worker).await;
        worker.batch_execute("begin").await.expect("begin");
        let drop = "select ranges_dropped from fairclaim.drop_ranges()";
        assert_eq!(worker.query_one(drop, &[]).await.expect(drop).get::<_, i32>(0), 1);
        let idle = "select current_setting('idle_in_transaction_session_timeout')";
        assert_eq!(worker.query_one(idle, &[]).await.expect(idle).get::<_, String>(0), "1s");
        let prepare = "prepare transaction 'dropped'";
        let error = worker.batch_execute(prepare).await.expect_err(prepare);
        assert_eq!(error.code().map(SqlState::code), Some("0A000"));
        // a plain commit leaves nothing behind
        assert_eq!(worker.query_one(drop, &[]).await.expect(drop).get::<_, i32>(0), 1);
        let owner = db.owner().await;
        let left = "select count(*) from pg_type t join pg_namespace n on n.oid = t.typnamespace where n.nspname like 'pg_temp%'";
        assert_eq!(count(&owner, left).await, 0);
        let quick = "select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname like 'pg_temp%'";
        assert_eq!(count(&owner, quick).await, 0);
    }
}

const POISON: &str = "
    create function fairclaim.poison() returns trigger language plpgsql as $$ begin
      if old.id = 'ID' then raise exception 'not this one'; end if; return old; end $$;
    create trigger poison before delete on fairclaim_internal.TABLE for each row execute function fairclaim.poison()";

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_cannot_be_deleted_is_passed_over_and_tried_again_later() {
    for table in ["finished", "job", "attempt_error"] {
        let db = TestDb::with_test_clock().await;
        let (worker, owner) = (db.worker().await, db.owner().await);
        let mut ids = ended(&db, 700).await;
        ids.sort_unstable();
        let poison = ids[500].to_string();
        let error = format!(
            "insert into fairclaim_internal.attempt_error select id, tenant_id, 1, completed_at from fairclaim_internal.finished where id = '{poison}'"
        );
        owner.batch_execute(&error).await.expect("an error of an attempt");
        let sql = POISON.replace("ID", &poison).replace("TABLE", table);
        owner.batch_execute(&sql).await.expect("a trigger");
        db.advance("10 days").await;
        let (mut deleted, mut passed_over) = (0, 0);
        loop {
            let step = call(&worker, PRUNE).await;
            deleted += step.deleted;
            passed_over += step.passed_over;
            if !step.more {
                break;
            }
        }
        assert_eq!((deleted, passed_over), (699, 1), "{table}");
        let noted = format!(
            "select count(*) from fairclaim_internal.prune_fault where id = '{poison}' and sqlstate = 'P0001'"
        );
        assert_eq!(count(&owner, &noted).await, 1);
        assert_eq!(count(&owner, JOBS).await, 1, "its job is still whole");
        assert_eq!(count(&owner, "select count(*) from fairclaim_internal.attempt_error").await, 1);

        // nobody mends it: within an hour it is not even tried; after that it goes if the trigger has gone
        let drop = format!("drop trigger poison on fairclaim_internal.{table}");
        owner.batch_execute(&drop).await.expect("drop");
        db.advance("8 days").await;
        assert_eq!(prune_all(&worker, PRUNE).await, 1);
        assert_eq!(count(&owner, JOBS).await, 0);
        while call(&worker, PRUNE).await.busy {
            tokio::time::sleep(Duration::from_millis(20)).await; // after a call that took long it rests
        }
        assert_eq!(count(&owner, "select count(*) from fairclaim_internal.prune_fault").await, 0);
    }
}

/// A call that takes too long is undone whole. It knows how long it may take, and takes a part of that.
#[tokio::test(flavor = "multi_thread")]
async fn pruning_gets_on_under_a_short_statement_timeout() {
    let db = TestDb::with_test_clock().await;
    let (worker, owner) = (db.worker().await, db.owner().await);
    ended(&db, 1000).await;
    owner
        .batch_execute(
            "create function fairclaim.slow() returns trigger language plpgsql as $$ begin perform pg_sleep(0.001); return old; end $$;
             create trigger slow before delete on fairclaim_internal.finished for each row execute function fairclaim.slow()",
        )
        .await
        .expect("a trigger");
    db.advance("10 days").await;
    worker.batch_execute("set statement_timeout = '800ms'").await.expect("set");
    // all of them at once would take longer; a machine that stands still may fail a call
    let mut failed = 0;
    while count(&owner, JOBS).await > 0 {
        failed += i32::from(worker.query_one(PRUNE, &[]).await.is_err());
        assert!(failed < 100, "no progress");
    }
}

/// A reader that stays in its transaction keeps the ranges, but not the rows, and ranges that are free are dropped.
#[tokio::test(flavor = "multi_thread")]
async fn a_range_that_is_in_use_is_emptied_and_stops_no_other() {
    let db = TestDb::with_test_clock().await;
    let (worker, owner, mut auditor) = (db.worker().await, db.owner().await, db.auditor().await);
    for _ in 0..4 {
        ended(&db, 5).await;
        db.advance("42 hours").await;
        tick(&worker).await;
    }
    db.advance("11 days").await;
    tick(&worker).await;
    let first = "select fairclaim_internal.range_name('job', min(starts_at)) from fairclaim_internal.id_range";
    let first: String = owner.query_one(first, &[]).await.expect(first).get(0);
    owner
        .batch_execute(&format!(
            "begin; lock table fairclaim_internal.{first} in row exclusive mode"
        ))
        .await
        .expect("lock");
    let drop = "select ranges_dropped, ranges_in_use from fairclaim.drop_ranges()";
    let row = worker.query_one(drop, &[]).await.expect(drop);
    assert_eq!((row.get::<_, i32>(0), row.get::<_, i32>(1)), (1, 1), "the next one goes");
    owner.batch_execute("rollback").await.expect("rollback");

    let reading = auditor.transaction().await.expect("begin");
    reading.query("select * from fairclaim.job_queue", &[]).await.expect("read");
    let row = worker.query_one(drop, &[]).await.expect(drop);
    assert_eq!((row.get::<_, i32>(0), row.get::<_, i32>(1)), (0, 1));
    assert_eq!(prune_all(&worker, PRUNE).await, 15, "rows go meanwhile");
    reading.rollback().await.expect("rollback");
    for _ in 0..3 {
        let row = worker.query_one(drop, &[]).await.expect(drop);
        assert_eq!((row.get::<_, i32>(0), row.get::<_, i32>(1)), (1, 0));
    }
    assert_eq!(count(&owner, JOBS).await, 0);
}
