//! What the tests of the library stand on: a client for each login, and workers that can be stopped and counted.

use std::{future::Future, time::Duration};

use fairclaim::{
    Client, Dispatch, JobRow, Status, Tenant, Worker, WorkerBuilder, WorkerHandle, WorkerReport,
};
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::support::{TestDb, waiting::until};

/// Longer than anything here takes on a busy machine; a test that waits this long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// The tenant of the jobs of these tests.
pub(crate) fn acme() -> Tenant {
    Tenant::named("acme").expect("a name")
}

/// A database, and who works with it.
pub(crate) struct Stage {
    pub(crate) db: TestDb,
    pub(crate) producer: Client,
    pub(crate) operator: Client,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::on(TestDb::new().await).await
    }

    pub(crate) async fn on(db: TestDb) -> Self {
        let (producer, operator) =
            (db.client("test_producer").await, db.client("test_operator").await);
        Self { db, producer, operator }
    }

    /// A worker without queues and handlers yet, as the least-privilege login. It polls often.
    pub(crate) async fn worker(&self) -> WorkerBuilder {
        Worker::builder(self.db.client("test_worker").await).poll_interval(millis(50))
    }

    /// Dispatches a job of a type into the default queue.
    pub(crate) async fn dispatch(&self, job_type: &str, payload: Value) -> Uuid {
        self.send(job(job_type, payload)).await
    }

    pub(crate) async fn send(&self, dispatch: Dispatch) -> Uuid {
        self.producer.dispatch(dispatch).await.expect("dispatch")
    }

    /// Dispatches jobs of a type into a queue, with their place as payload.
    pub(crate) async fn dispatch_many(
        &self,
        queue: &str,
        job_type: &str,
        count: usize,
    ) -> Vec<Uuid> {
        let jobs = (0..count).map(|n| job(job_type, n.into()).queue(queue));
        self.producer.dispatch_many(jobs).await.expect("dispatch_many")
    }

    /// A job with all that is known about it.
    pub(crate) async fn job(&self, id: Uuid) -> JobRow {
        self.operator.job(id).await.expect("job").expect("it is there")
    }

    /// Asserts that nothing of a job has changed since it was read.
    pub(crate) async fn assert_unchanged(&self, row: &JobRow) {
        let mut again = self.job(row.id).await;
        again.read_at = row.read_at;
        assert_eq!(again, *row);
    }

    /// Waits until a job has a status.
    pub(crate) async fn until(&self, id: Uuid, status: Status) -> JobRow {
        until(&format!("job {id} is {status}"), PATIENCE, || async {
            Some(self.job(id).await).filter(|job| job.status == status)
        })
        .await
    }

    /// Waits until all these jobs have a status.
    pub(crate) async fn until_all(&self, ids: &[Uuid], status: Status) {
        for &id in ids {
            self.until(id, status).await;
        }
    }

    /// Ends the lease of a running job, as `tick()` does with one that has expired. In one transaction, so that no
    /// heartbeat comes in between.
    pub(crate) async fn expire(&self, id: Uuid) {
        let mut owner = self.db.owner().await;
        let transaction = owner.transaction().await.expect("begin");
        let expired = "update fairclaim_internal.running set lease_expires_at = fairclaim.clock() - interval '1 s' where id = $1";
        assert_eq!(transaction.execute(expired, &[&id]).await.expect("running"), 1, "it runs");
        let returned = "select fairclaim_internal.return_expired(fairclaim.clock(), 100, '{}')";
        let row = transaction.query_one(returned, &[]).await.expect("return_expired");
        assert_eq!(row.get::<_, i32>(0), 1);
        transaction.commit().await.expect("commit");
    }

    /// A table of the application, which workers and producers fill.
    pub(crate) async fn create_effects(&self) {
        let created = "create schema app;
            create table app.effect (id uuid, attempt int);
            grant usage on schema app to test_worker, test_producer, test_auditor;
            grant select, insert on app.effect to test_worker, test_producer, test_auditor";
        self.db.installer().await.batch_execute(created).await.expect("a table");
    }

    /// The rows of that table.
    pub(crate) async fn effects(&self) -> Vec<(Uuid, i32)> {
        let rows = self.db.auditor().await.query("select id, attempt from app.effect", &[]).await;
        rows.expect("app.effect").iter().map(|row| (row.get(0), row.get(1))).collect()
    }
}

/// A job for [`acme`].
pub(crate) fn job(job_type: &str, payload: Value) -> Dispatch {
    Dispatch::raw(acme(), job_type, payload).expect("a payload")
}

/// A worker that runs in the background.
pub(crate) struct Running {
    pub(crate) handle: WorkerHandle,
    stop: CancellationToken,
    task: JoinHandle<fairclaim::Result<WorkerReport>>,
}

impl Running {
    pub(crate) fn start(builder: WorkerBuilder) -> Self {
        let worker = builder.build().expect("a worker");
        let (handle, stop) = (worker.handle(), CancellationToken::new());
        let task = tokio::spawn(worker.run(stop.clone().cancelled_owned()));
        Self { handle, stop, task }
    }

    /// Tells it to shut down, without waiting.
    pub(crate) fn tell(&self) {
        self.stop.cancel();
    }

    /// Waits for its end.
    pub(crate) async fn ended(self) -> WorkerReport {
        within("the worker ends", self.task).await.expect("no panic").expect("no error")
    }

    /// Shuts it down.
    pub(crate) async fn stop(self) -> WorkerReport {
        self.tell();
        self.ended().await
    }
}

/// Fails the test when something does not happen for long.
pub(crate) async fn within<T>(what: &str, happens: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(PATIENCE, happens).await;
    done.unwrap_or_else(|_| panic!("{what}: not within {PATIENCE:?}"))
}

/// Counts how many run at once.
#[derive(Debug, Default)]
pub(crate) struct Gauge {
    running: std::sync::atomic::AtomicUsize,
    most: std::sync::atomic::AtomicUsize,
}

impl Gauge {
    /// One more, until the guard is dropped.
    pub(crate) fn enter(&self) -> impl Drop + '_ {
        use std::sync::atomic::Ordering::SeqCst;
        struct Guard<'a>(&'a Gauge);
        impl Drop for Guard<'_> {
            fn drop(&mut self) {
                self.0.running.fetch_sub(1, SeqCst);
            }
        }
        self.most.fetch_max(self.running.fetch_add(1, SeqCst) + 1, SeqCst);
        Guard(self)
    }

    pub(crate) fn running(&self) -> usize {
        self.running.load(std::sync::atomic::Ordering::SeqCst)
    }

    pub(crate) fn most(&self) -> usize {
        self.most.load(std::sync::atomic::Ordering::SeqCst)
    }
}
