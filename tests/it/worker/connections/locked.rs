//! A table that somebody keeps locked: calls wait, time out, and leave nothing behind at the server.

use std::{sync::Arc, time::Duration};

use fairclaim::{Status, Worker, WorkerBuilder};

use super::{
    super::stage::{PATIENCE, Running, Stage, millis},
    Runs, note,
};
use crate::support::{self, waiting::until};

/// How many claims and settlements of a worker are under way at most.
const CONNECTIONS: usize = 2;
/// Each of these may wait, and maintenance. The heartbeat has nothing to extend.
const SESSIONS: usize = CONNECTIONS + 1;

/// Who keeps `ready` locked, in a session of their own.
async fn lock(stage: &Stage) -> support::Client {
    let owner = stage.db.owner().await;
    owner.batch_execute("begin; lock table fairclaim_internal.ready").await.expect("lock");
    owner
}

/// How many sessions of the workers' login wait for a lock in this database.
async fn waiting(owner: &support::Client) -> usize {
    let sessions = "select count(*) from pg_locks l join pg_stat_activity a using (pid)
                     where not l.granted and a.datname = current_database() and a.usename = 'test_worker'";
    let row = owner.query_one(sessions, &[]).await.expect("pg_locks");
    usize::try_from(row.get::<_, i64>(0)).expect("a count")
}

fn start(builder: WorkerBuilder, runs: &Runs) -> Running {
    let builder = builder.connections(CONNECTIONS);
    let builder = builder.poll_interval(millis(50)).queue("default", 4).state(Arc::clone(runs));
    Running::start(builder.handler_for("note", note))
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_time_out_pile_up_at_the_server_no_sessions_and_claim_nothing_for_nobody() {
    let stage = Stage::new().await;
    let ids = stage.dispatch_many("default", "note", 40).await;
    let locker = lock(&stage).await;
    let watcher = stage.db.direct_session("test_owner").await;
    let runs = Runs::default();
    // the shortest patience, and so short a lease that whatever was claimed for nobody is lost
    let client = stage.db.direct_client("test_worker").await;
    let worker = start(Worker::builder(client).lease(Duration::from_secs(1)), &runs);
    until("its calls have timed out several times", PATIENCE, || async {
        (worker.handle.report().call_failures > CONNECTIONS as u64).then_some(())
    })
    .await;
    until("no more sessions wait than calls are under way", PATIENCE, || async {
        (waiting(&watcher).await <= SESSIONS).then_some(())
    })
    .await;
    locker.batch_execute("commit").await.expect("commit");
    stage.until_all(&ids, Status::Completed).await;
    for id in ids {
        assert_eq!(stage.job(id).await.attempts, 1, "it was claimed for nobody, and lost");
    }
    assert!(runs.lock().expect("a lock").values().all(|&count| count == 1));
    assert_eq!(worker.stop().await.lost, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_ends_while_its_calls_wait_leaves_none_of_them_behind() {
    let stage = Stage::new().await;
    let locker = lock(&stage).await;
    let watcher = stage.db.direct_session("test_owner").await;
    let worker = Worker::builder(stage.db.direct_client("test_worker").await);
    // so patient that the worker's end comes first
    let worker = start(worker.lease(Duration::from_secs(60)), &Runs::default());
    until("a claim waits", PATIENCE, || async { (waiting(&watcher).await > 0).then_some(()) })
        .await;
    worker.stop().await;
    assert_eq!(waiting(&watcher).await, 0);
    locker.batch_execute("rollback").await.expect("rollback");
}
