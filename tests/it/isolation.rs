//! Producers outside READ COMMITTED: their jobs wait in `scheduled`, due at once, and the next tick places them.

use serde_json::json;
use tokio_postgres::IsolationLevel;
use uuid::Uuid;

use crate::{
    calls::{
        Settled, claim_jobs, dispatch, dispatch_batch, dispatch_many, settle_after, tenant, tick,
    },
    support::{Client, GenericClient, TestDb},
};

const LEVELS: [IsolationLevel; 2] = [IsolationLevel::RepeatableRead, IsolationLevel::Serializable];

async fn number(owner: &Client, sql: &str) -> i64 {
    owner.query_one(sql, &[]).await.expect(sql).get(0)
}

/// Lanes, and rows in them.
async fn lanes_and_ready(owner: &Client) -> [i64; 2] {
    let lanes = number(owner, "select count(*) from fairclaim_internal.lane").await;
    [lanes, number(owner, "select count(*) from fairclaim_internal.ready").await]
}

/// One job alone, one in a batch and one with a priority, of the same tenant.
async fn dispatch_three(producer: &impl GenericClient) -> Vec<Uuid> {
    let mut ids = vec![dispatch(producer, tenant(1), "mail").await];
    let job = json!({"tenant_id": tenant(1), "type": "mail"});
    ids.extend(dispatch_batch(producer, std::slice::from_ref(&job)).await);
    let sql = "select fairclaim.dispatch_job($1, 'mail', p_priority => 5)";
    ids.push(producer.query_one(sql, &[&tenant(1)]).await.expect("dispatch_job").get(0));
    ids
}

#[tokio::test]
async fn a_producer_outside_read_committed_makes_no_lane_and_its_jobs_run_after_the_next_tick() {
    let db = TestDb::new().await;
    let (owner, worker) = (db.owner().await, db.worker().await);
    let mut app = db.producer().await;
    for level in LEVELS {
        let open = app.build_transaction().isolation_level(level).start().await.expect("begin");
        let mut ids = dispatch_three(&open).await;
        open.commit().await.expect("commit");
        assert_eq!(lanes_and_ready(&owner).await, [0, 0], "{level:?}");
        let sql =
            "select count(*) from fairclaim.job_queue q join fairclaim_internal.job j using (id)
                    where q.status = 'scheduled' and j.run_at is null";
        assert_eq!(number(&owner, sql).await, 3, "{level:?}: nobody asked for a later time");
        assert!(claim_jobs(&worker, 10, &mut None).await.is_empty(), "{level:?}: not yet");

        assert_eq!(tick(&worker).await.get::<_, i32>("promoted"), 3, "{level:?}");
        let jobs = claim_jobs(&worker, 10, &mut None).await;
        assert_eq!(jobs[0].id, ids[2], "{level:?}: the higher priority first");
        let mut claimed: Vec<Uuid> = jobs.iter().map(|job| job.id).collect();
        claimed.sort_unstable();
        ids.sort_unstable();
        assert_eq!(claimed, ids, "{level:?}");
        owner.batch_execute("delete from fairclaim_internal.lane").await.expect("delete");
        owner.batch_execute("delete from fairclaim_internal.running").await.expect("delete");
        owner.batch_execute("delete from fairclaim_internal.job").await.expect("delete");
    }
}

#[tokio::test]
async fn savepoints_of_a_repeatable_read_transaction_make_no_lane_either() {
    let db = TestDb::new().await;
    let (mut app, owner, worker) = (db.producer().await, db.owner().await, db.worker().await);
    let level = IsolationLevel::RepeatableRead;
    let mut open = app.build_transaction().isolation_level(level).start().await.expect("begin");
    for _ in 0..3 {
        let inner = open.transaction().await.expect("savepoint");
        dispatch_three(&inner).await;
        inner.commit().await.expect("release");
    }
    open.commit().await.expect("commit");
    assert_eq!(lanes_and_ready(&owner).await, [0, 0]);
    tick(&worker).await;
    assert_eq!(claim_jobs(&worker, 10, &mut None).await.len(), 9);
}

/// A lane per transaction would be 40 lanes.
#[tokio::test]
async fn many_repeatable_read_transactions_of_a_light_tenant_share_a_lane() {
    let db = TestDb::new().await;
    let (mut app, owner, worker) = (db.producer().await, db.owner().await, db.worker().await);
    for n in 0..40 {
        let level = LEVELS[n % 2];
        let open = app.build_transaction().isolation_level(level).start().await.expect("begin");
        dispatch(&open, tenant(n as u128), "mail").await;
        open.commit().await.expect("commit");
    }
    tick(&worker).await;
    assert_eq!(lanes_and_ready(&owner).await, [1, 40]);
}

/// Each reads what others write as long as it looks for a lane; now it reads nothing of the kind.
#[tokio::test]
async fn serializable_producers_of_one_tenant_do_not_collide() {
    let db = TestDb::new().await;
    let (worker, mut apps) = (db.worker().await, Vec::new());
    for _ in 0..6 {
        apps.push(db.direct_session("test_producer").await);
    }
    for round in 0..3 {
        for app in &apps {
            app.batch_execute("begin isolation level serializable").await.expect("begin");
            dispatch_three(&**app).await;
        }
        for app in &apps {
            app.batch_execute("commit").await.unwrap_or_else(|error| {
                panic!("round {round}: a producer had to repeat its transaction: {error}")
            });
        }
        tick(&worker).await;
    }
    assert_eq!(claim_jobs(&worker, 100, &mut None).await.len(), 6 * 3 * 3);
}

#[tokio::test]
async fn what_is_given_back_outside_read_committed_waits_for_the_next_tick() {
    let db = TestDb::new().await;
    let (producer, owner) = (db.producer().await, db.owner().await);
    let (mut app, worker) = (db.worker().await, db.worker().await);
    for level in LEVELS {
        for (outcome, delay) in [("release", None), ("retry", Some(0.0))] {
            let id = dispatch(&producer, tenant(1), "mail").await;
            let job = claim_jobs(&worker, 1, &mut None).await.remove(0);
            let before = lanes_and_ready(&owner).await;
            let open = app.build_transaction().isolation_level(level).start().await.expect("begin");
            let settled = settle_after(&open, &job, outcome, delay).await;
            open.commit().await.expect("commit");
            assert_eq!(settled, Settled::as_status("scheduled"), "{level:?} {outcome}");
            assert_eq!(lanes_and_ready(&owner).await, before, "{level:?} {outcome}");
            assert!(claim_jobs(&worker, 1, &mut None).await.is_empty(), "{level:?} {outcome}");
            tick(&worker).await;
            let again = claim_jobs(&worker, 1, &mut None).await.remove(0);
            assert_eq!((again.id, again.attempts), (id, 2), "{level:?} {outcome}");
        }
    }
}

#[tokio::test]
async fn an_operators_retry_outside_read_committed_waits_for_the_next_tick() {
    let db = TestDb::new().await;
    let (mut app, worker) = (db.producer().await, db.worker().await);
    dispatch_many(&app, tenant(1), "default", "mail", 20).await;
    let jobs = claim_jobs(&worker, 20, &mut None).await;
    for job in &jobs {
        assert!(settle_after(&worker, job, "fail", None).await.accepted);
    }
    let ids: Vec<Uuid> = jobs.iter().map(|job| job.id).collect();
    let level = IsolationLevel::RepeatableRead;
    let open = app.build_transaction().isolation_level(level).start().await.expect("begin");
    let sql = "select status from fairclaim.retry_jobs($1, $2)";
    let rows = open.query(sql, &[&tenant(1), &ids]).await.expect("retry_jobs");
    assert!(rows.iter().all(|row| row.get::<_, &str>(0) == "scheduled"));
    open.commit().await.expect("commit");
    assert!(claim_jobs(&worker, 20, &mut None).await.is_empty());
    tick(&worker).await;
    assert_eq!(claim_jobs(&worker, 20, &mut None).await.len(), 20);
}
