//! A job whose workers died twice runs alone.

use std::sync::Arc;

use fairclaim::{Attempt, JobError, Outcome, RawJob, State, Status};
use serde_json::json;

use super::rig::{Gauge, Rig, Running, millis};
use crate::calls::claim_job;
use crate::support::Client;

struct App {
    others: Gauge,
    auditor: Client,
}

async fn other(
    _job: RawJob,
    _attempt: Attempt,
    State(app): State<Arc<App>>,
) -> Result<(), JobError> {
    let _running = app.others.enter();
    tokio::time::sleep(millis(30)).await;
    Ok(())
}

/// Looks about, in this process and in the database, for as long as it runs.
async fn suspect(
    _job: RawJob,
    attempt: Attempt,
    State(app): State<Arc<App>>,
) -> Result<Outcome, JobError> {
    let (mut company, mut held) = (0, 0);
    for _ in 0..20 {
        company = company.max(app.others.running());
        let query = "select count(*) from fairclaim.running where worker_id = $1";
        let row = app.auditor.query_one(query, &[&attempt.worker_id()]).await?;
        held = held.max(row.get::<_, i64>(0));
        tokio::time::sleep(millis(20)).await;
    }
    Ok(Outcome::CompleteWith(json!({"company": company, "held": held})))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_was_lost_twice_runs_alone() {
    let rig = Rig::new().await;
    let id = rig.dispatch("suspect", json!({})).await;
    let doomed = rig.db.worker().await;
    for _ in 0..2 {
        assert_eq!(claim_job(&doomed, "doomed").await.map(|job| job.id), Some(id));
        rig.expire(id).await;
    }
    // the others come first and in numbers, so that the worker is busy when it claims the suspect
    let mut others = rig.dispatch_many("default", "other", 100).await;
    let app = Arc::new(App { others: Gauge::default(), auditor: rig.db.auditor().await });
    let worker = rig.worker().await.queue("default", 4).queue("second", 4).state(Arc::clone(&app));
    others.extend(rig.dispatch_many("second", "other", 100).await);
    let worker = worker.handler_for("suspect", suspect).handler_for("other", other);
    let worker = Running::start(worker);

    let row = rig.until(id, Status::Completed).await;
    assert_eq!(row.attempts, 3);
    assert_eq!(row.result, Some(json!({"company": 0, "held": 1})));
    rig.until_all(&others, Status::Completed).await;
    let report = worker.stop().await;
    assert_eq!((report.completed, report.lost), (201, 0));
    assert!(app.others.most() > 4, "both queues were busy before or after");
}
