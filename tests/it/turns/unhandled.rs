//! A million jobs of a type that nobody handles cost the claims of other types nothing: types are part of the lane.

use serde_json::{Value, json};

use crate::calls::{dispatch_batch, dispatch_many, tenant};
use crate::support::{Client, TestDb};

/// What a worker that knows one type sends, for one job and for ten.
const CLAIM_ONE: &str =
    "select * from fairclaim.claim_job('w', array['default'], array['handled'])";
const CLAIM_TEN: &str =
    "select * from fairclaim.claim_jobs('w', array['default'], 10, array['handled'])";

/// Runs a claim that must bring so many jobs; the buffers it touched, all that it called among them.
async fn buffers(worker: &Client, claim: &str, jobs: f64) -> f64 {
    let explain = format!("explain (analyze, buffers, format json) {claim}");
    let plan: Value = worker.query_one(&explain, &[]).await.expect("explain").get(0);
    let node = &plan[0]["Plan"];
    assert_eq!(node["Actual Rows"].as_f64(), Some(jobs), "{claim} brought something else: {plan}");
    let count = |name: &str| node[name].as_f64().expect("buffers");
    count("Shared Hit Blocks") + count("Shared Read Blocks")
}

/// The mean number of buffers of a claim of one and of a claim of ten. The ten jobs that are there to be claimed come
/// last, each time, and are of the tenant that has everything else.
async fn cost_of_claims(db: &TestDb) -> [f64; 2] {
    const ROUNDS: i32 = 4;
    let (producer, worker) = (db.producer().await, db.worker().await);
    let ten = vec![json!({"tenant_id": tenant(1), "type": "handled"}); 10];
    let mut sums = [0.0; 2];
    for round in 0..=ROUNDS {
        dispatch_batch(&producer, &ten).await;
        let mut singles = 0.0;
        for _ in 0..10 {
            singles += buffers(&worker, CLAIM_ONE, 1.0).await / 10.0;
        }
        dispatch_batch(&producer, &ten).await;
        let batch = buffers(&worker, CLAIM_TEN, 10.0).await;
        // the first round of a session reads catalogs and plans
        if round > 0 {
            sums = [sums[0] + singles, sums[1] + batch];
        }
    }
    sums.map(|sum| sum / f64::from(ROUNDS))
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
    for ((flooded, calm), jobs) in flooded.iter().zip(calm).zip([1.0, 10.0]) {
        // A claim descends the keys of `ready` and of `job` once a job. Both are one page for ten rows and three levels high
        // for a million (bt_metap), so each job costs two pages more in each. The other
        // ten are for the claim as such, and were not told apart.
        assert!(
            flooded <= &(calm * 1.3).max(calm + 10.0 + 4.0 * jobs),
            "{flooded} buffers behind a million jobs, {calm} without them"
        );
    }
    assert_eq!(owner.query_one(waiting, &[]).await.expect("ready").get::<_, i64>(0), 1_000_000);
}
