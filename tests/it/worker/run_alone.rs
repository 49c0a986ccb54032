//! A job whose workers died twice runs alone.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use fairclaim::{Attempt, JobError, Outcome, RawJob, State, Status};
use serde_json::json;
use uuid::Uuid;

use super::stage::{Gauge, Running, Stage, millis};
use crate::calls::claim_job;
use crate::support::Client;

struct App {
    others: Gauge,
    owner: Client,
    /// How many others had ended when each suspect did.
    ended: AtomicUsize,
    suspects: Mutex<Vec<usize>>,
}

impl App {
    async fn new(stage: &Stage) -> Arc<Self> {
        let (ended, suspects) = (AtomicUsize::new(0), Mutex::default());
        Arc::new(Self { others: Gauge::default(), owner: stage.db.owner().await, ended, suspects })
    }
}

/// Two workers claim these jobs, which are all there are, and die.
async fn lose_twice(stage: &Stage, ids: &[Uuid]) {
    let doomed = stage.db.worker().await;
    for _ in 0..2 {
        for _ in ids {
            assert!(claim_job(&doomed, "doomed").await.is_some());
        }
        for &id in ids {
            stage.expire(id).await;
        }
    }
}

async fn other(
    _job: RawJob,
    _attempt: Attempt,
    State(app): State<Arc<App>>,
) -> Result<(), JobError> {
    let _running = app.others.enter();
    tokio::time::sleep(millis(30)).await;
    app.ended.fetch_add(1, SeqCst);
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
        let query = "select count(*) from fairclaim_internal.running where worker_id = $1";
        let row = app.owner.query_one(query, &[&attempt.worker_id()]).await?;
        held = held.max(row.get::<_, i64>(0));
        tokio::time::sleep(millis(20)).await;
    }
    app.suspects.lock().expect("a lock").push(app.ended.load(SeqCst));
    Ok(Outcome::CompleteWith(json!({"company": company, "held": held})))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_was_lost_twice_runs_alone() {
    let stage = Stage::new().await;
    let id = stage.dispatch("suspect", json!({})).await;
    lose_twice(&stage, &[id]).await;
    // the others come first and in numbers, so that the worker is busy when it claims the suspect
    let mut others = stage.dispatch_many("default", "other", 100).await;
    let app = App::new(&stage).await;
    let worker =
        stage.worker().await.queue("default", 4).queue("second", 4).state(Arc::clone(&app));
    others.extend(stage.dispatch_many("second", "other", 100).await);
    let worker = worker.handler_for("suspect", suspect).handler_for("other", other);
    let worker = Running::start(worker);

    let row = stage.until(id, Status::Completed).await;
    assert_eq!(row.attempts, 3);
    assert_eq!(row.result, Some(json!({"company": 0, "held": 1})));
    stage.until_all(&others, Status::Completed).await;
    let report = worker.stop().await;
    assert_eq!((report.completed, report.lost), (201, 0));
    assert!(app.others.most() > 4, "both queues were busy before or after");
}

#[tokio::test(flavor = "multi_thread")]
async fn work_goes_on_beside_many_jobs_that_were_lost_twice() {
    const SUSPECTS: usize = 8;
    const OTHERS: usize = 100;
    let stage = Stage::new().await;
    let suspects = stage.dispatch_many("default", "suspect", SUSPECTS).await;
    lose_twice(&stage, &suspects).await;
    let others = stage.dispatch_many("default", "other", OTHERS).await;
    let app = App::new(&stage).await;
    let worker = stage.worker().await.queue("default", 4).state(Arc::clone(&app));
    let worker = worker.handler_for("suspect", suspect).handler_for("other", other);
    let worker = Running::start(worker);
    stage.until_all(&suspects, Status::Completed).await;
    stage.until_all(&others, Status::Completed).await;
    let report = worker.stop().await;
    assert_eq!((report.completed, report.lost), ((SUSPECTS + OTHERS) as u64, 0));
    // the first suspects may come before others, but those do not wait for the last ones
    let ended = app.suspects.lock().expect("a lock").clone();
    assert_eq!(ended.len(), SUSPECTS);
    assert_eq!(ended[SUSPECTS - 3], OTHERS, "others waited for suspects: {ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_does_not_end_before_the_jobs_that_were_lost_twice() {
    let stage = Stage::new().await;
    let suspects = stage.dispatch_many("default", "suspect", 2).await;
    lose_twice(&stage, &suspects).await;
    let app = App::new(&stage).await;
    let worker = stage.worker().await.queue("default", 2).drain(true).state(app);
    let report = Running::start(worker.handler_for("suspect", suspect)).ended().await;
    assert_eq!(report.completed, 2);
}
