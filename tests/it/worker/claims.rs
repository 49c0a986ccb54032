//! How much a worker claims, when, and in how many calls.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use fairclaim::{
    Attempt, Client, Dispatch, JobError, MigrateOptions, RawJob, State, Status, Worker,
    WorkerHandle,
};
use private_postgres::PrivateServer;
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::stage::{Gauge, PATIENCE, Running, Stage, acme, millis};
use crate::{
    calls::claim_job,
    support::{Client as Session, connect, waiting::until},
};

/// One gauge for each of two queues, and what keeps the jobs of the first one waiting.
struct App {
    blocked: Gauge,
    free: Gauge,
    gate: Semaphore,
}

async fn blocked(
    _job: RawJob,
    _attempt: Attempt,
    State(app): State<Arc<App>>,
) -> Result<(), JobError> {
    let _running = app.blocked.enter();
    let _passed = app.gate.acquire().await?;
    Ok(())
}

async fn free(
    _job: RawJob,
    _attempt: Attempt,
    State(app): State<Arc<App>>,
) -> Result<(), JobError> {
    let _running = app.free.enter();
    tokio::time::sleep(millis(40)).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_queue_has_its_own_concurrency_however_busy_the_others_are() {
    let stage = Stage::new().await;
    let held = stage.dispatch_many("slow", "blocked", 12).await;
    let passed = stage.dispatch_many("fast", "free", 60).await;
    let closed = Semaphore::new(0);
    let app = Arc::new(App { blocked: Gauge::default(), free: Gauge::default(), gate: closed });
    let worker = stage.worker().await.queue("slow", 2).queue("fast", 5).state(Arc::clone(&app));
    let worker = worker.handler_for("blocked", blocked).handler_for("free", free);
    let worker = Running::start(worker);
    stage.until_all(&passed, Status::Completed).await;
    assert_eq!((app.blocked.running(), app.blocked.most(), app.free.most()), (2, 2, 5));
    for &id in &held {
        assert_ne!(stage.job(id).await.status, Status::Completed);
    }
    app.gate.add_permits(1);
    stage.until_all(&held, Status::Completed).await;
    assert_eq!((app.blocked.most(), worker.stop().await.completed), (2, 72));
}

async fn slow(_job: RawJob, _attempt: Attempt) -> Result<(), JobError> {
    tokio::time::sleep(millis(200)).await;
    Ok(())
}

/// The most jobs that each worker holds at once, looked at until all are completed.
async fn most_held(owner: &Session, workers: [&str; 2], jobs: usize) -> [i64; 2] {
    let query =
        "select count(*) filter (where r.worker_id = $1), count(*) filter (where r.worker_id = $2),
                        (select count(*) from fairclaim_internal.finished)
                   from fairclaim_internal.running r";
    let (mut most, deadline) = ([0_i64; 2], Instant::now() + PATIENCE);
    loop {
        let row = owner.query_one(query, &[&workers[0], &workers[1]]).await.expect("running");
        most = [most[0].max(row.get(0)), most[1].max(row.get(1))];
        if row.get::<_, i64>(2) == i64::try_from(jobs).expect("few") {
            return most;
        }
        assert!(Instant::now() < deadline, "the jobs are not completed");
        tokio::time::sleep(millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_of_slow_jobs_holds_few_and_leaves_the_others_to_a_second_one() {
    const JOBS: usize = 40;
    let stage = Stage::new().await;
    stage.dispatch_many("default", "slow", JOBS).await;
    let mut workers = Vec::new();
    for worker_id in ["one", "two"] {
        let worker = stage.worker().await.worker_id(worker_id).queue("default", 2);
        workers.push(Running::start(worker.handler_for("slow", slow)));
    }
    let most = most_held(&stage.db.owner().await, ["one", "two"], JOBS).await;
    // two that run, one ahead, and two whose settlements are on their way
    assert!(most.iter().all(|held| (2..=5).contains(held)), "{most:?}");
    let mut completed = Vec::new();
    for worker in workers {
        completed.push(worker.stop().await.completed);
    }
    assert_eq!(completed.iter().sum::<u64>(), JOBS as u64);
    assert!(completed.iter().all(|&jobs| jobs >= 10), "{completed:?}");
}

async fn nothing(_job: RawJob, _attempt: Attempt) -> Result<(), JobError> {
    Ok(())
}

/// Waits for a claim of an idle worker that came more than three seconds after the one before: its pauses double, so the next
/// one by itself is at least four and a half seconds away.
async fn until_it_pauses(handle: &WorkerHandle) {
    let (mut claims, mut since) = (handle.report().claims, Instant::now());
    until("the pauses grow", PATIENCE, || {
        let now = handle.report().claims;
        let grown = now != claims && since.elapsed() > Duration::from_secs(3);
        if now != claims {
            (claims, since) = (now, Instant::now());
        }
        async move { grown.then_some(()) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispatch_wakes_an_idle_worker_that_listens_and_polling_finds_every_job_without() {
    let stage = Stage::new().await;
    // no maintenance: a tick that finds something to do wakes too
    let worker = async |queue, listen| {
        let worker = stage.worker().await.queue(queue, 1).poll_interval(PATIENCE).maintain(false);
        Running::start(worker.listen(listen).handler_for("nothing", nothing))
    };
    let (listening, polling) = (worker("heard", true).await, worker("polled", false).await);
    until_it_pauses(&listening.handle).await;
    // a dispatch announces itself only when somebody was idle within the last second or so
    assert!(claim_job(&stage.db.worker().await, "idler").await.is_none());
    let (heard, dispatched) = (stage.dispatch_many("heard", "nothing", 1).await[0], Instant::now());
    let polled = stage.dispatch_many("polled", "nothing", 1).await[0];
    stage.until(heard, Status::Completed).await;
    assert!(dispatched.elapsed() < Duration::from_secs(4), "its poll found it, and no wake");
    stage.until(polled, Status::Completed).await;
    listening.stop().await;
    polling.stop().await;
}

/// A server that counts the calls of functions, and a client of an installed database there.
async fn counting_server() -> (PrivateServer, Client, String) {
    let server = PrivateServer::builder().setting("track_functions", "pl").setting("fsync", "off");
    let server = server.start().await.expect("a server");
    server.create_login("app", "createrole").await.expect("login");
    server.create_database("app", "app").await.expect("database");
    let url = server.url("app", "app");
    let client = Client::connect(&url).await.expect("connect");
    client.migrate(&MigrateOptions::default().grant_self(true)).await.expect("migrate");
    (server, client, url)
}

/// How often a function was called, once all other sessions have ended: they count for themselves until then.
async fn calls(session: &Session, function: &str) -> u64 {
    until("the other sessions end", PATIENCE, || async {
        let others = "select count(*) from pg_stat_activity
                       where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'";
        let count: i64 = session.query_one(others, &[]).await.expect("activity").get(0);
        (count == 0).then_some(())
    })
    .await;
    let calls = "select calls from pg_stat_user_functions where schemaname in ('fairclaim', 'fairclaim_internal') and funcname = $1";
    let calls: i64 = session.query_one(calls, &[&function]).await.expect("it was called").get(0);
    u64::try_from(calls).expect("a count")
}

#[tokio::test(flavor = "multi_thread")]
async fn settlements_and_claims_travel_together() {
    const JOBS: usize = 5000;
    let (server, client, url) = counting_server().await;
    let job = Dispatch::raw(acme(), "nothing", ()).expect("a payload");
    let ids: Vec<Uuid> = client.dispatch_many(vec![job; JOBS]).await.expect("dispatch_many");
    assert_eq!(ids.len(), JOBS);
    let worker = Worker::builder(client.clone()).queue("default", 4).drain(true).max_batch(100);
    let report = Running::start(worker.handler_for("nothing", nothing)).ended().await;
    assert_eq!((report.completed, report.call_failures), (JOBS as u64, 0));
    client.pool().close();
    drop(client);

    let calls = calls(&connect(&url).await, "settle_and_claim").await;
    let both = report.claims + report.settlements - calls;
    assert!(2 * both > report.settlements, "{both} of {} settled and claimed", report.settlements);
    // batches: far fewer calls than jobs
    assert!(calls < JOBS as u64 / 5, "{calls} calls");
    server.stop().await.expect("stop");
}
