//! Whatever ends a job, or takes it away, lets the next one of its key go.

use uuid::Uuid;

use crate::calls::{Claimed, settle, settle_after, settle_all, tenant};

use super::Stage;

/// The ways in which a job that runs, or is about to, can end.
const WAYS: &[&str] = &[
    "complete",
    "complete many",
    "complete with results",
    "fail",
    "cancel",
    "last retry",
    "lost",
    "wish and release",
    "cancel waiting",
    "delete waiting",
    "cancel parked",
    "delete parked",
    "suspect",
];

impl Stage {
    async fn by_operator(&self, function: &str, id: Uuid) {
        let sql = format!("select status from fairclaim.{function}($1, array[$2::uuid])");
        self.operator.query_one(&sql, &[&tenant(1), &id]).await.expect("an operator");
    }

    async fn complete_with_results(&self, job: &Claimed) {
        let sql = "select count(*) from fairclaim.settle_jobs('worker', array[$1, $4]::uuid[], array[$2, 1]::int[],
                     array[$3, $4]::uuid[], array['complete', 'complete'], array['1', '2'])";
        let other = Uuid::nil();
        let row = self.worker.query_one(sql, &[&job.id, &job.attempts, &job.token, &other]).await;
        row.expect("settle_jobs");
    }

    /// Lets the lease of what runs end.
    async fn lose(&self) {
        self.db.advance("6 min").await;
        self.tick().await;
        self.db.advance("6 s").await;
        self.tick().await;
    }

    async fn end(&self, way: &str, job: &Claimed) {
        match way {
            "complete many" => {
                let others = [self.claim_of("b").await, job.clone()];
                settle_all(&self.worker, &others, "complete").await;
            }
            "complete with results" => self.complete_with_results(job).await,
            "last retry" => {
                assert_eq!(job.attempts_left, 1);
                settle(&self.worker, job, "retry").await;
            }
            "lost" => {
                for _ in 0..2 {
                    self.lose().await;
                    let sql = "select id from fairclaim.claim_jobs('worker', null, 1, p_lease => 300, p_alone => $1)";
                    let row = self.worker.query_opt(sql, &[&true]).await.expect("a claim");
                    if row.is_none() {
                        self.worker.query_one(sql, &[&false]).await.expect("a claim");
                    }
                }
                self.lose().await;
            }
            "wish and release" => {
                self.by_operator("cancel_jobs", job.id).await;
                settle(&self.worker, job, "release").await;
            }
            "cancel waiting" | "delete waiting" => {
                settle(&self.worker, job, "release").await;
                self.by_operator(&way.replace(" waiting", "_jobs"), job.id).await;
            }
            "cancel parked" | "delete parked" => {
                settle_after(&self.worker, job, "retry", Some(600.0)).await;
                self.by_operator(&way.replace(" parked", "_jobs"), job.id).await;
            }
            "suspect" => {
                self.lose().await;
                self.one().await;
                self.lose().await;
                for _ in 0..20 {
                    self.db.advance("4 min").await;
                    self.tick().await;
                }
            }
            outcome => assert!(settle(&self.worker, job, outcome).await.accepted),
        }
    }

    async fn claim_of(&self, key: &str) -> Claimed {
        self.job(key).await;
        self.one().await
    }
}

#[tokio::test]
async fn each_way_to_end_frees_the_key() {
    for way in WAYS {
        let stage = Stage::new().await;
        let sql = "select fairclaim.dispatch_job($1, 'import', p_key => 'a', p_keep_order => true, p_max_attempts => $2)";
        let attempts: i32 = if *way == "last retry" { 1 } else { 25 };
        let row = stage.producer.query_one(sql, &[&tenant(1), &attempts]).await.expect("a job");
        let first: Uuid = row.get(0);
        let second = stage.job("a").await;
        let job = stage.one().await;
        assert_eq!(job.id, first, "{way}");
        stage.end(way, &job).await;
        let next = stage.claim().await;
        assert_eq!(next.iter().map(|job| job.id).collect::<Vec<_>>(), [second], "{way}");
        settle(&stage.worker, &next[0], "complete").await;
        stage.expect_nothing_left().await;
    }
}

#[tokio::test]
async fn a_job_that_waits_for_its_key_can_be_cancelled_and_deleted() {
    let stage = Stage::new().await;
    let ids =
        [stage.job("a").await, stage.job("a").await, stage.job("a").await, stage.job("a").await];
    let job = stage.one().await;
    stage.by_operator("cancel_jobs", ids[1]).await;
    let sql = "select status, deleted from fairclaim.delete_jobs($1, array[$2::uuid])";
    let row = stage.operator.query_one(sql, &[&tenant(1), &ids[2]]).await.expect("delete");
    assert_eq!((row.get("status"), row.get("deleted")), ("pending", true));
    settle(&stage.worker, &job, "complete").await;
    let job = stage.one().await;
    assert_eq!(job.id, ids[3]);
    settle(&stage.worker, &job, "complete").await;
    stage.expect_nothing_left().await;
}

#[tokio::test]
async fn a_job_that_an_operator_runs_again_waits_for_its_key() {
    let stage = Stage::new().await;
    let (first, second) = (stage.job("a").await, stage.job("a").await);
    let job = stage.one().await;
    settle(&stage.worker, &job, "fail").await;
    let running = stage.one().await;
    assert_eq!(running.id, second);
    stage.by_operator("retry_jobs", first).await;
    assert!(stage.claim().await.is_empty(), "the second one runs");
    settle(&stage.worker, &running, "complete").await;
    let again = stage.one().await;
    assert_eq!((again.id, again.attempts), (first, 2));
}

#[tokio::test]
async fn a_delayed_job_waits_for_its_key_when_it_is_due() {
    let stage = Stage::new().await;
    let sql = "select fairclaim.dispatch_job($1, 'import', p_key => 'a', p_delay => 10)";
    let row = stage.producer.query_one(sql, &[&tenant(1)]).await.expect("a job");
    let delayed: Uuid = row.get(0);
    let job = stage.claim_of("a").await;
    stage.db.advance("20 s").await;
    assert!(stage.claim().await.is_empty());
    settle(&stage.worker, &job, "complete").await;
    assert_eq!(stage.ids().await, [delayed]);
}

#[tokio::test]
async fn a_dispatch_outside_read_committed_waits_for_its_key() {
    let stage = Stage::new().await;
    let job = stage.claim_of("a").await;
    let serializable = "set default_transaction_isolation = serializable";
    stage.producer.batch_execute(serializable).await.expect("set");
    let (second, third) = (stage.job("a").await, stage.job("a").await);
    assert!(stage.claim().await.is_empty());
    stage.worker.batch_execute(serializable).await.expect("set");
    settle(&stage.worker, &job, "complete").await;
    stage.worker.batch_execute("reset default_transaction_isolation").await.expect("set");
    let job = stage.one().await;
    assert_eq!(job.id, second);
    settle(&stage.worker, &job, "complete").await;
    assert_eq!(stage.ids().await, [third]);
}
