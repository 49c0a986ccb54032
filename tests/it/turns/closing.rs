//! Own lanes come and go: one that has run empty is closed when it is ten seconds old, one with jobs never.

use uuid::Uuid;

use crate::calls::{claim_job, dispatch_object, settle, tenant, tick};
use crate::notify::stop_clock;
use crate::support::{Client, TestDb};

/// The priority whose jobs have lanes of their own here.
const OWN: i32 = 7;

/// Own lanes that dispatch uses, and those that it does not use any more.
async fn lanes(owner: &Client) -> (i64, i64) {
    let sql = "select count(*) filter (where drained is null), count(*) filter (where drained is not null)
                 from fairclaim_internal.lane where tenant_id is not null";
    let row = owner.query_one(sql, &[]).await.expect("lanes");
    (row.get(0), row.get(1))
}

async fn dispatch_own(producer: &Client) -> Uuid {
    let job = serde_json::json!({"tenant_id": tenant(1), "type": "mail", "priority": OWN});
    dispatch_object(producer, job).await
}

/// Claims the one job there is, which must be this.
async fn serve(worker: &Client, id: Uuid) {
    let job = claim_job(worker, "worker").await.expect("a job waits");
    assert_eq!(job.id, id);
    assert!(settle(worker, &job, "complete").await.accepted);
}

#[tokio::test]
async fn an_own_lane_that_ran_empty_is_closed_when_it_is_ten_seconds_old() {
    let db = TestDb::with_test_clock().await;
    db.own_lanes(OWN).await;
    stop_clock(&db).await;
    let (producer, worker, owner) = (db.producer().await, db.worker().await, db.owner().await);
    let first = dispatch_own(&producer).await;
    serve(&worker, first).await;
    db.advance("9 s 999 ms").await;
    for _ in 0..4 {
        assert_eq!(tick(&worker).await.get::<_, i32>("closed"), 0, "it is too young");
    }
    let second = dispatch_own(&producer).await;
    db.advance("1 min").await;
    for _ in 0..4 {
        assert_eq!(tick(&worker).await.get::<_, i32>("closed"), 0, "a job waits in it");
    }
    assert_eq!(lanes(&owner).await, (1, 0), "the second job came into the first one's lane");
    serve(&worker, second).await;

    assert_eq!(tick(&worker).await.get::<_, i32>("closed"), 1);
    assert_eq!(lanes(&owner).await, (0, 1));
    let third = dispatch_own(&producer).await;
    assert_eq!(lanes(&owner).await, (1, 1), "dispatch opens another one");
    let mut deleted = 0;
    for _ in 0..4 {
        deleted += tick(&worker).await.get::<_, i32>("deleted");
    }
    assert_eq!((deleted, lanes(&owner).await), (1, (1, 0)));
    serve(&worker, third).await;
}
