//! A load that goes on whatever happens, and the books of what came of it.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use fairclaim::{Client, Dispatch, Tenant};
use serde_json::json;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::stderr;
use crate::support::{PATIENCE, Running, TestServer, start};

/// What is dispatched at once before everything else.
const BACKLOG: usize = 150;

/// One attempt of one job.
pub(super) type Key = (Uuid, i32);

/// A dispatcher, and what the handlers of its jobs write down.
pub(super) struct Load<'a> {
    server: &'a TestServer,
    lease: &'a str,
    /// One line for each run of a handler: the job and the number of the attempt.
    runs: PathBuf,
    stop: Arc<AtomicBool>,
    dispatcher: JoinHandle<Dispatched>,
}

/// What the dispatcher knows.
#[derive(Default)]
struct Dispatched {
    /// Jobs whose dispatch was acknowledged.
    ids: Vec<Uuid>,
    /// Calls that failed: what they dispatched is there or not.
    failures: usize,
}

/// A job that has ended.
pub(super) struct Ended {
    pub(super) status: String,
    pub(super) attempts: i32,
    pub(super) worker: String,
}

/// Everything, when it is over.
pub(super) struct Books {
    acknowledged: Vec<Uuid>,
    pub(super) refused_calls: usize,
    pub(super) jobs: HashMap<Uuid, Ended>,
    /// Final facts, of all jobs together.
    facts: usize,
    /// Jobs that exist, and rows that are not final.
    counts: (i64, i64),
    /// Attempts whose lease expired.
    lost: HashSet<Key>,
    /// The attempts of each job that a handler has run.
    pub(super) runs: HashMap<Uuid, Vec<i32>>,
}

impl<'a> Load<'a> {
    /// Starts to dispatch. `lease`: that of the workers to come.
    pub(super) async fn start(server: &'a TestServer, lease: &'a str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let client = Client::connect(&server.url).await.unwrap();
        Self {
            server,
            lease,
            runs: server.postgres.directory().join("runs"),
            dispatcher: tokio::spawn(dispatch(client, Arc::clone(&stop))),
            stop,
        }
    }

    /// Two worker processes, by name.
    pub(super) fn workers(&self) -> HashMap<&'static str, Running> {
        let handler = format!(
            "job=echo $FAIRCLAIM_JOB_ID $FAIRCLAIM_ATTEMPT >> {}; sleep 0.05",
            self.runs.display()
        );
        let worker = |name| {
            let command = ["work", "--queue", "default:4", "--worker-id", name, "--exec", &handler];
            start(&mut self.server.fairclaim(command.into_iter().chain(["--lease", self.lease])))
        };
        HashMap::from(["doomed", "other"].map(|name| (name, worker(name))))
    }

    pub(super) async fn completed(&self) -> i64 {
        number(self.server, COMPLETED).await
    }

    pub(super) async fn dispatched(&self) -> i64 {
        number(self.server, DISPATCHED).await
    }

    pub(super) async fn until_completed(&self, at_least: i64) {
        until(self.server, COMPLETED, at_least).await;
    }

    pub(super) async fn until_dispatched(&self, at_least: i64) {
        until(self.server, DISPATCHED, at_least).await;
    }

    /// The attempts that run, by the database.
    pub(super) async fn running(&self) -> HashSet<Key> {
        attempts(self.server, "select id, attempt from fairclaim_internal.running").await
    }

    /// What a dead worker holds. The server may still be at its last statement; that is over when
    /// two looks in a row see the same.
    pub(super) async fn held_by(&self, worker: &str) -> HashSet<Key> {
        let sql = format!(
            "select id, attempt from fairclaim_internal.running where worker_id = '{worker}'"
        );
        let mut held = attempts(self.server, &sql).await;
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let again = attempts(self.server, &sql).await;
            if again == held {
                return held;
            }
            held = again;
        }
    }

    /// Stops dispatching, waits until every job has ended, ends the workers and closes the books.
    pub(super) async fn finish(self, workers: impl Iterator<Item = Running>) -> Books {
        self.stop.store(true, Ordering::SeqCst);
        let server = self.server;
        let (runs, dispatched) = (self.runs, self.dispatcher.await.unwrap());
        until(server, COMPLETED, number(server, DISPATCHED).await).await;
        for worker in workers {
            worker.signal("TERM");
            let output = worker.end();
            assert!(output.status.success(), "{}", stderr(&output));
        }
        Books::close(server, dispatched, runs).await
    }
}

const COMPLETED: &str =
    "select count(*) from fairclaim_internal.finished where status = 'completed'";
const DISPATCHED: &str = "select count(*) from fairclaim_internal.job";

async fn number(server: &TestServer, sql: &str) -> i64 {
    server.read(sql).await[0].get(0)
}

async fn until(server: &TestServer, sql: &str, at_least: i64) {
    let deadline = Instant::now() + PATIENCE;
    while number(server, sql).await < at_least {
        assert!(Instant::now() < deadline, "never {at_least}: {sql}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn attempts(server: &TestServer, sql: &str) -> HashSet<Key> {
    server.read(sql).await.iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// Dispatches for two tenants: first so much that the workers have something in hand all the time,
/// then a few jobs at a time. It goes on when a call fails as calls do while the server is away.
async fn dispatch(client: Client, stop: Arc<AtomicBool>) -> Dispatched {
    let mut dispatched = Dispatched::default();
    for call in 0.. {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let count = if call == 0 { BACKLOG } else { 1 + call % 4 };
        let jobs = (0..count).map(|n| {
            let tenant = Tenant::named(["acme", "bolt"][(call + n) % 2]).unwrap();
            Dispatch::raw(tenant, "job", json!({ "call": call })).unwrap()
        });
        match client.dispatch_many(jobs).await {
            Ok(ids) => dispatched.ids.extend(ids),
            Err(error) if error.is_transient() => dispatched.failures += 1,
            Err(error) => panic!("a dispatcher cannot go on after this: {error:?}"),
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    dispatched
}

impl Books {
    async fn close(server: &TestServer, dispatched: Dispatched, runs: PathBuf) -> Self {
        let sql = "select id, status, attempts, worker_id from fairclaim_internal.finished";
        let facts = server.read(sql).await;
        let counts = "select (select count(*) from fairclaim_internal.job),
          (select count(*) from fairclaim_internal.ready) + (select count(*) from fairclaim_internal.running) + (select count(*) from fairclaim_internal.scheduled)";
        let counts = &server.read(counts).await[0];
        let mut books = Self {
            acknowledged: dispatched.ids,
            refused_calls: dispatched.failures,
            facts: facts.len(),
            counts: (counts.get(0), counts.get(1)),
            lost: attempts(server, "select id, attempt from fairclaim_internal.attempt_error")
                .await,
            jobs: HashMap::new(),
            runs: HashMap::new(),
        };
        for row in facts {
            let ended = Ended { status: row.get(1), attempts: row.get(2), worker: row.get(3) };
            books.jobs.insert(row.get(0), ended);
        }
        for line in std::fs::read_to_string(runs).unwrap().lines() {
            let (id, attempt) = line.split_once(' ').unwrap();
            books.runs.entry(id.parse().unwrap()).or_default().push(attempt.parse().unwrap());
        }
        books
    }

    /// Every job has ended once and well, and every handler that ran did so for an attempt that is
    /// recorded, once. A job that was claimed again was in flight when something died, or its
    /// worker gave it back before a handler had it.
    pub(super) fn check(&self, in_flight: &HashSet<Key>) {
        assert_eq!(self.facts, self.jobs.len(), "a job has ended twice");
        assert_eq!(self.counts, (i64::try_from(self.jobs.len()).unwrap(), 0), "jobs, and left");
        assert!(self.jobs.values().all(|job| job.status == "completed"));
        let lost: Vec<_> =
            self.acknowledged.iter().filter(|id| !self.jobs.contains_key(id)).collect();
        assert!(lost.is_empty(), "dispatched and lost: {lost:?}");

        let mut run = 0;
        for (id, job) in &self.jobs {
            let runs = self.runs.get(id).map(Vec::as_slice).unwrap_or_default();
            run += runs.len();
            assert!(runs.contains(&job.attempts), "{id} was completed by nobody");
            for attempt in 1..=job.attempts {
                let times = runs.iter().filter(|&&number| number == attempt).count();
                assert!(times <= 1, "attempt {attempt} of {id} ran {times} times");
                let given_back = times == 0 && !self.lost.contains(&(*id, attempt));
                assert!(
                    attempt == job.attempts || in_flight.contains(&(*id, attempt)) || given_back,
                    "attempt {attempt} of {id} was in nobody's hands, and another one followed"
                );
            }
        }
        let written: usize = self.runs.values().map(Vec::len).sum();
        assert_eq!(written, run, "a handler ran for an attempt that no job has");
    }
}
