//! Connections that are lost: the worker goes on, and no settlement is lost with them.

mod few;
mod locked;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use fairclaim::{
    Attempt, Client, Dispatch, JobError, MigrateOptions, RawJob, State, Status, Worker,
};
use private_postgres::PrivateServer;
use serde_json::json;
use tokio::sync::Semaphore;
use tokio_postgres::NoTls;
use uuid::Uuid;

use super::stage::{PATIENCE, Running, Stage, acme, millis, within};
use crate::support::waiting::until;

/// How often each job was run.
type Runs = Arc<Mutex<HashMap<Uuid, usize>>>;

async fn note(_job: RawJob, attempt: Attempt, State(runs): State<Runs>) -> Result<(), JobError> {
    *runs.lock().expect("a lock").entry(attempt.id()).or_default() += 1;
    tokio::time::sleep(millis(10)).await;
    Ok(())
}

/// Ends every session of the workers' login in this database, as that login may.
async fn cut(stage: &Stage) -> i64 {
    let sessions = "select count(pg_terminate_backend(pid)) from pg_stat_activity
                     where datname = current_database() and usename = current_user and pid <> pg_backend_pid()";
    stage.db.worker().await.query_one(sessions, &[]).await.expect("terminate").get(0)
}

/// Cuts while a call is under way for certain: it waits for a lock.
async fn cut_in_a_call(stage: &Stage) {
    let mut owner = stage.db.owner().await;
    let lock = owner.transaction().await.expect("begin");
    lock.batch_execute("lock table fairclaim_internal.running in access exclusive mode")
        .await
        .expect("lock");
    let looking = stage.db.worker().await;
    let waiting = "select count(*) from pg_stat_activity where datname = current_database() and usename = current_user
                      and wait_event_type = 'Lock'";
    until("a call waits", PATIENCE, || async {
        let row = looking.query_one(waiting, &[]).await.expect("pg_stat_activity");
        (row.get::<_, i64>(0) > 0).then_some(())
    })
    .await;
    assert!(cut(stage).await > 0);
    lock.rollback().await.expect("rollback");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_connections_are_cut_runs_every_job_once() {
    const JOBS: usize = 600;
    let stage = Stage::new().await;
    let ids = stage.dispatch_many("default", "note", JOBS).await;
    let runs = Runs::default();
    // a claim whose answer was lost with its connection comes back with the end of its lease
    let worker = stage.worker().await.lease(Duration::from_secs(6)).queue("default", 4);
    let worker = Running::start(worker.state(Arc::clone(&runs)).handler_for("note", note));
    for round in 1..=6 {
        until("it works", PATIENCE, || async {
            (runs.lock().expect("a lock").len() >= round * 60).then_some(())
        })
        .await;
        // what it had claimed goes on while it has no connection
        until("something is cut", PATIENCE, || async { (cut(&stage).await > 0).then_some(()) })
            .await;
    }
    cut_in_a_call(&stage).await;
    stage.until_all(&ids, Status::Completed).await;
    let report = worker.stop().await;
    assert!(report.call_failures > 0, "{report:?}");
    let runs = runs.lock().expect("a lock");
    assert_eq!(runs.len(), JOBS);
    let again: Vec<_> = runs.iter().filter(|(_, count)| **count > 1).collect();
    assert!(again.is_empty(), "a lost settlement made them run again: {again:?}");
}

/// A permit when the handler runs, one that lets it end.
struct Gate {
    started: Semaphore,
    end: Semaphore,
}

async fn gated(
    _job: RawJob,
    _attempt: Attempt,
    State(gate): State<Arc<Gate>>,
) -> Result<fairclaim::Outcome, JobError> {
    gate.started.add_permits(1);
    gate.end.acquire().await?.forget();
    Ok(fairclaim::Outcome::CompleteWith(json!("done while nobody listened")))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_while_the_server_is_down_is_settled_when_it_is_back() {
    let server = PrivateServer::builder().start().await.expect("a server");
    server.create_login("app", "createrole").await.expect("login");
    server.create_database("app", "app").await.expect("database");
    let client = Client::connect(&server.url("app", "app")).await.expect("connect");
    client.migrate(&MigrateOptions::default().grant_self(true)).await.expect("migrate");
    let job = Dispatch::raw(acme(), "gated", json!({})).expect("a payload");
    let ids = client.dispatch_many(vec![job; 6]).await.expect("dispatch_many");
    let gate = Arc::new(Gate { started: Semaphore::new(0), end: Semaphore::new(0) });
    let worker = Worker::builder(client.clone()).queue("default", 3).state(Arc::clone(&gate));
    let worker = Running::start(worker.handler_for("gated", gated));
    within("three run", gate.started.acquire_many(3)).await.expect("open").forget();

    server.kill().await.expect("kill");
    gate.end.add_permits(6);
    let handle = worker.handle.clone();
    until("it notices", PATIENCE, || async { (handle.report().call_failures > 0).then_some(()) })
        .await;
    server.restart().await.expect("restart");
    until("all are completed", PATIENCE, || async {
        let page = client.jobs(&fairclaim::JobFilter::default()).await.ok()?;
        page.jobs.iter().all(|job| job.status == Status::Completed).then_some(())
    })
    .await;
    for id in ids {
        let row = client.job(id).await.expect("job").expect("it is there");
        assert_eq!(row.attempts, 1, "settled by the attempt that did the work");
        assert_eq!(row.result, Some(json!("done while nobody listened")));
    }
    assert_eq!(worker.stop().await.lost, 0);
    server.stop().await.expect("stop");
}

/// A pool as an application makes it, of as many connections as a worker takes and one more.
fn pool(url: &str, size: usize) -> Pool {
    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = Manager::from_config(url.parse().expect("a URL"), NoTls, recycling);
    Pool::builder(manager).max_size(size).runtime(Runtime::Tokio1).build().expect("a pool")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_on_the_pool_of_the_application_polls_and_leaves_the_pool_free() {
    let stage = Stage::new().await;
    let pool = pool(&stage.db.url("test_worker"), 2);
    let runs = Runs::default();
    let worker = Worker::builder(Client::from_pool(pool.clone())).poll_interval(millis(50));
    let worker = worker.queue("default", 4).state(Arc::clone(&runs));
    let worker = Running::start(worker.listen(true).handler_for("note", note));
    let before = stage.dispatch_many("default", "note", 50).await;
    stage.until_all(&before, Status::Completed).await;
    // handlers may take all of the pool: the worker's own connections are none of it
    let taken = [pool.get().await.expect("one"), pool.get().await.expect("two")];
    assert!(cut(&stage).await >= 3, "two of the pool, and those of the worker");
    drop(taken);
    let after = stage.dispatch_many("default", "note", 50).await;
    stage.until_all(&after, Status::Completed).await;
    let report = worker.stop().await;
    assert_eq!((report.completed, report.lost), (100, 0));
    assert!(runs.lock().expect("a lock").values().all(|&count| count == 1));
}
