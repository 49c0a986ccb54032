//! Jobs whose workers died twice: no claim returns one that does not ask for it, so a client that knows nothing of them harms nobody.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    calls::{
        Claimed, claim_job, claim_jobs, dispatch, dispatch_object, settle, settle_all, tenant, tick,
    },
    notify::stop_clock,
    support::{Client, TestDb},
};

struct Scene {
    db: TestDb,
    producer: Client,
    worker: Client,
}

impl Scene {
    async fn new() -> Self {
        let db = TestDb::with_test_clock().await;
        stop_clock(&db).await;
        let (producer, worker) = (db.producer().await, db.worker().await);
        Self { db, producer, worker }
    }

    /// Time goes by while workers live, so somebody ticks.
    async fn pass(&self, minutes: u32) {
        for _ in 0..minutes {
            self.db.advance("1 minute").await;
            tick(&self.worker).await;
        }
    }

    /// Its workers die twice.
    async fn suspect(&self, job_type: &str) -> Uuid {
        let id = dispatch(&self.producer, tenant(1), job_type).await;
        for _ in 0..2 {
            assert_eq!(claim_job(&self.worker, "doomed").await.expect("the job").id, id);
            self.pass(2).await;
        }
        id
    }

    async fn alone(&self, limit: i32) -> Vec<Claimed> {
        let sql = "select * from fairclaim.claim_jobs('worker', null, $1, p_alone => true)";
        let rows = self.worker.query(sql, &[&limit]).await.expect("claim_jobs");
        rows.iter().map(Claimed::from).collect()
    }

    async fn waiting(&self, queues: Option<&[&str]>, types: Option<&[&str]>) -> bool {
        let sql = "select suspect_waiting from fairclaim.settle_and_claim('worker', null, null, null, null, null, null, null, $1, 0, $2)";
        self.worker.query_one(sql, &[&queues, &types]).await.expect("settle_and_claim").get(0)
    }

    async fn status(&self, id: Uuid) -> (String, Option<Value>) {
        let sql = "select status, error from fairclaim.job_queue where id = $1";
        let row = self.db.auditor().await.query_one(sql, &[&id]).await.expect("the job");
        (row.get(0), row.get(1))
    }
}

#[tokio::test]
async fn a_claim_that_asks_for_them_gets_one_and_the_oldest_first() {
    let scene = Scene::new().await;
    let first = scene.suspect("a").await;
    let second = scene.suspect("b").await;
    let other = dispatch(&scene.producer, tenant(2), "c").await;
    assert_eq!(claim_jobs(&scene.worker, 100, &mut None).await[0].id, other, "and no other");
    let got = scene.alone(100).await;
    assert_eq!(got.iter().map(|job| job.id).collect::<Vec<_>>(), [first], "one, whatever is asked");
    assert_eq!(got[0].lost, 2);
    assert_eq!(scene.alone(1).await[0].id, second);
    assert!(scene.alone(1).await.is_empty());
}

#[tokio::test]
async fn answers_tell_whether_one_waits_that_the_caller_may_have() {
    let scene = Scene::new().await;
    assert!(!scene.waiting(None, None).await);
    scene.suspect("a").await;
    assert!(scene.waiting(None, None).await);
    assert!(scene.waiting(Some(&["other", "default"]), Some(&["a"])).await);
    assert!(!scene.waiting(Some(&["other"]), None).await, "another queue");
    assert!(!scene.waiting(None, Some(&["b"])).await, "another type");
    let pause = |function: &str| format!("select fairclaim.{function}('default')");
    let operator = scene.db.operator().await;
    operator.batch_execute(&pause("pause_queue")).await.expect("pause");
    assert!(!scene.waiting(None, None).await, "a paused queue");
    operator.batch_execute(&pause("resume_queue")).await.expect("resume");
    assert!(scene.waiting(None, None).await);
    let job = scene.alone(1).await.remove(0);
    assert!(!scene.waiting(None, None).await, "somebody has it");
    settle(&scene.worker, &job, "complete").await;
}

/// Two workers that follow the protocol, but for `p_alone`: one job kills whoever runs it, and takes along what that worker held.
#[tokio::test]
async fn a_client_that_knows_nothing_of_suspects_fails_no_job_of_another_tenant() {
    let scene = Scene::new().await;
    let of = |tenant: Uuid, job_type: &str| json!({"tenant_id": tenant, "type": job_type, "max_attempts": 1});
    let poison = dispatch_object(&scene.producer, of(tenant(1), "poison")).await;
    let mut others = Vec::new();
    for _ in 0..200 {
        others.push(dispatch_object(&scene.producer, of(tenant(2), "mail")).await);
    }
    let mut cursor = None;
    for _round in 0..100 {
        let jobs = claim_jobs(&scene.worker, 20, &mut cursor).await;
        if jobs.iter().any(|job| job.id == poison) {
            scene.pass(6).await; // all of them are lost
            continue;
        }
        settle_all(&scene.worker, &jobs, "complete").await;
        scene.pass(1).await;
    }
    for id in others {
        assert_eq!(scene.status(id).await.0, "completed");
    }
    let (status, error) = scene.status(poison).await;
    assert_eq!((status.as_str(), &error.expect("an error")["code"]), ("failed", &json!("lost")));
}

#[tokio::test]
async fn one_that_no_worker_takes_fails_in_the_end() {
    let scene = Scene::new().await;
    let id = scene.suspect("a").await;
    scene.pass(55).await;
    assert_eq!(scene.status(id).await.0, "pending");
    scene.pass(10).await;
    let (status, error) = scene.status(id).await;
    assert_eq!((status.as_str(), &error.expect("an error")["code"]), ("failed", &json!("lost")));
    assert!(scene.alone(1).await.is_empty());
    scene.pass(1).await;
    let left = "select count(*) from fairclaim_internal.suspect";
    let row = scene.db.owner().await.query_one(left, &[]).await.expect("suspects");
    assert_eq!(row.get::<_, i64>(0), 0);
}

#[tokio::test]
async fn the_time_that_one_waits_is_a_setting() {
    let scene = Scene::new().await;
    let set = "update fairclaim_internal.setting set suspect_wait = '5 minutes'";
    scene.db.owner().await.batch_execute(set).await.expect("a setting");
    let id = scene.suspect("a").await;
    scene.pass(10).await;
    assert_eq!(scene.status(id).await.0, "failed");
}

#[tokio::test]
async fn the_time_begins_again_when_a_worker_takes_one_and_stands_while_nobody_may() {
    let scene = Scene::new().await;
    let id = scene.suspect("a").await;
    scene.pass(50).await;
    let job = scene.alone(1).await.remove(0);
    settle(&scene.worker, &job, "release").await;
    scene.pass(50).await;
    assert_eq!(scene.status(id).await.0, "pending", "a worker has had it meanwhile");
    // nobody may take it
    let operator = scene.db.operator().await;
    operator.batch_execute("select fairclaim.pause_queue('default')").await.expect("pause");
    scene.pass(200).await;
    operator.batch_execute("select fairclaim.resume_queue('default')").await.expect("resume");
    scene.pass(50).await;
    assert_eq!(scene.status(id).await.0, "pending", "a paused queue");
    let limit = "insert into fairclaim_internal.running_limit (subject, tenant_id, queue, max_running) values ('tenant', $1, '', 0)";
    scene.db.owner().await.execute(limit, &[&tenant(1)]).await.expect("a limit");
    scene.pass(200).await;
    scene
        .db
        .owner()
        .await
        .execute("delete from fairclaim_internal.running_limit", &[])
        .await
        .expect("lift");
    scene.pass(50).await;
    assert_eq!(scene.status(id).await.0, "pending", "a paused tenant");
    // no worker ran over the weekend
    scene.db.advance("2 days").await;
    tick(&scene.worker).await;
    assert_eq!(scene.status(id).await.0, "pending");
    scene.pass(65).await;
    assert_eq!(scene.status(id).await.0, "failed");
}
