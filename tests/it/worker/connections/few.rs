//! A login or a server that has room for few connections: leases are kept first, and nothing is claimed that could not be.

use std::{sync::Arc, time::Duration};

use fairclaim::{
    Attempt, Client, Dispatch, JobError, JobRow, MigrateOptions, RawJob, State, Status, Worker,
    WorkerBuilder,
};
use private_postgres::PrivateServer;
use serde_json::json;
use uuid::Uuid;

use super::{
    super::stage::{PATIENCE, Running, acme, millis},
    Runs,
};
use crate::support::waiting::until;

struct Narrow {
    server: PrivateServer,
    client: Client,
}

impl Narrow {
    async fn new() -> Self {
        let server = PrivateServer::builder().start().await.expect("a server");
        server.create_login("app", "createrole").await.expect("login");
        server.create_database("app", "app").await.expect("database");
        let client = Client::connect(&server.url("app", "app")).await.expect("connect");
        client.migrate(&MigrateOptions::default().grant_self(true)).await.expect("migrate");
        Self { server, client }
    }

    async fn execute(&self, sql: &str) {
        self.server.execute_as_superuser("app", sql).await.expect(sql);
    }

    /// A worker whose login may have so many connections. Its leases are as short as can be.
    async fn worker(&self, login: &str, connections: usize) -> WorkerBuilder {
        self.server
            .create_login(login, &format!("connection limit {connections}"))
            .await
            .expect("login");
        self.execute(&format!("grant fairclaim_worker to {login}")).await;
        let client = Client::connect(&self.server.url("app", login)).await.expect("connect");
        let worker = Worker::builder(client).queue("default", 4).lease(Duration::from_secs(1));
        worker.poll_interval(millis(50))
    }

    async fn dispatch(&self, job_type: &str, count: usize) -> Vec<Uuid> {
        let job = Dispatch::raw(acme(), job_type, json!({})).expect("a payload");
        self.client.dispatch_many(vec![job; count]).await.expect("dispatch_many")
    }

    async fn completed(&self, ids: &[Uuid]) -> Vec<JobRow> {
        let mut rows = Vec::new();
        for &id in ids {
            let row = until("it is completed", PATIENCE, || async {
                let row = self.client.job(id).await.ok()??;
                (row.status == Status::Completed).then_some(row)
            });
            rows.push(row.await);
        }
        rows
    }
}

/// Runs for several leases.
async fn long(_job: RawJob, attempt: Attempt, State(runs): State<Runs>) -> Result<(), JobError> {
    *runs.lock().expect("a lock").entry(attempt.id()).or_default() += 1;
    let stopped = attempt.cancellation();
    tokio::select! {
        () = tokio::time::sleep(Duration::from_secs(4)) => Ok(()),
        () = stopped.cancelled() => Err(JobError::retry("stopped")),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_longer_than_a_lease_run_once_however_few_connections_there_are() {
    let narrow = Narrow::new().await;
    let (runs, mut workers, mut ids) = (Runs::default(), Vec::new(), Vec::new());
    for connections in 2..=6 {
        let name = format!("narrow_{connections}");
        ids.extend(narrow.dispatch(&name, 2).await);
        let worker = narrow.worker(&name, connections).await.state(Arc::clone(&runs));
        workers.push(Running::start(worker.handler_for(&name, long)));
    }
    for row in narrow.completed(&ids).await {
        assert_eq!(row.attempts, 1, "{}", row.job_type);
    }
    assert!(runs.lock().expect("a lock").values().all(|&starts| starts == 1));
    for worker in workers {
        let report = worker.stop().await;
        assert_eq!((report.completed, report.interrupted, report.released), (2, 0, 0));
    }
    narrow.server.stop().await.expect("stop");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_connections_are_gone_claims_again_when_its_heartbeat_has_one() {
    let narrow = Narrow::new().await;
    let runs = Runs::default();
    let worker = narrow.worker("narrow", 2).await.connections(1).state(Arc::clone(&runs));
    let worker = Running::start(worker.handler_for("narrow", long));
    let first = narrow.dispatch("narrow", 1).await;
    narrow.completed(&first).await;
    narrow.execute("alter role narrow connection limit 0").await;
    let cut = "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'narrow'";
    narrow.execute(cut).await;
    let before = worker.handle.report().call_failures;
    let second = narrow.dispatch("narrow", 2).await;
    until("it notices", PATIENCE, || async {
        (worker.handle.report().call_failures > before).then_some(())
    })
    .await;
    narrow.execute("alter role narrow connection limit 2").await;
    for row in narrow.completed(&second).await {
        assert_eq!(row.attempts, 1);
    }
    assert_eq!(worker.stop().await.completed, 3);
    narrow.server.stop().await.expect("stop");
}
