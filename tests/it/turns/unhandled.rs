//! A million jobs of a type that nobody handles cost the claims of other types nothing: types are part of the lane.

use serde_json::{Value, json};

use crate::calls::{dispatch_batch, dispatch_many, tenant};
use crate::support::{Client, TestDb, waiting::until_open_transactions_end};

/// What a worker that knows one type sends, for one job and for ten.
const CLAIM_ONE: &str =
    "select * from fairclaim.claim_job('w', array['default'], array['handled'])";
const CLAIM_TEN: &str =
    "select * from fairclaim.claim_jobs('w', array['default'], 10, array['handled'])";

/// Runs a claim that must bring so many jobs; the buffers it touched, all that it called among them.
async fn buffers(worker: &Client, claim: &str, jobs: f64) -> f64 {
    until_open_transactions_end(worker).await;
    let explain = format!("explain (analyze, buffers, format json) {claim}");
    let plan: Value = worker.query_one(&explain, &[]).await.expect("explain").get(0);
    let node = &plan[0]["Plan"];
    assert_eq!(node["Actual Rows"].as_f64(), Some(jobs), "{claim} brought something else: {plan}");
    let count = |name: &str| node[name].as_f64().expect("buffers");
    count("Shared Hit Blocks") + count("Shared Read Blocks")
}

/// The least number of buffers of a claim of one and of a claim of ten, of a few rounds: pages are split now and then. The ten jobs
/// that are there to be claimed come last, each time, and are of the tenant that has everything else.
async fn cost_of_claims(db: &TestDb) -> [f64; 2] {
    let (producer, worker) = (db.producer().await, db.worker().await);
    let ten = vec![json!({"tenant_id": tenant(1), "type": "handled"}); 10];
    let mut least = [f64::INFINITY; 2];
    // the first round of a session reads catalogs and plans
    for _ in 0..8 {
        dispatch_batch(&producer, &ten).await;
        for _ in 0..10 {
            least[0] = least[0].min(buffers(&worker, CLAIM_ONE, 1.0).await);
        }
        dispatch_batch(&producer, &ten).await;
        least[1] = least[1].min(buffers(&worker, CLAIM_TEN, 10.0).await);
    }
    least
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_million_jobs_of_a_type_nobody_handles_cost_a_claim_nothing() {
    let calm = cost_of_claims(&TestDb::new().await).await;

    let db = TestDb::new().await;
    let (one, other, owner) = (db.producer().await, db.producer().await, db.owner().await);
    let half = |producer| async move {
        dispatch_many(&producer, tenant(1), "default", "unhandled", 500_000).await;
    };
    tokio::join!(half(one), half(other));
    let waiting = "select count(*) from fairclaim_internal.ready";
    assert_eq!(owner.query_one(waiting, &[]).await.expect("ready").get::<_, i64>(0), 1_000_000);

    let flooded = cost_of_claims(&db).await;
    println!("buffers of a claim of one and of ten: {flooded:?}, {calm:?} without the million");
    for (flooded, calm) in flooded.iter().zip(calm) {
        // the keys of `ready` and of `job` are three levels high for a million rows, and one page for ten
        assert!(
            *flooded <= calm * 1.3,
            "{flooded} buffers behind a million jobs, {calm} without them"
        );
    }
    assert_eq!(owner.query_one(waiting, &[]).await.expect("ready").get::<_, i64>(0), 1_000_000);
}
