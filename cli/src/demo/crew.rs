//! The worker processes: real ones, so that one of them can really be killed.
//!
//! Each is this same binary. It claims until its stdin closes, so that none outlives the demo
//! however the demo ends, and it reports on stdout whose jobs it starts.

use std::collections::HashMap;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fairclaim::ConnectionMode;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use uuid::Uuid;

use crate::error::Hinted;

/// How long an orderly end may take before the process is killed.
const STOP_GRACE: Duration = Duration::from_secs(5);
/// How many lines of a worker's stderr are kept for the case that it dies.
const STDERR_LINES: usize = 40;

/// What the workers are started with.
#[derive(Debug)]
pub(super) struct Orders {
    pub(super) url: String,
    pub(super) queue: String,
    pub(super) concurrency: usize,
    pub(super) lease: Duration,
    pub(super) work: Duration,
    pub(super) connection: ConnectionMode,
}

/// All workers of a run.
#[derive(Debug, Default)]
pub(super) struct Crew {
    members: Vec<Member>,
    claims: Arc<Mutex<HashMap<Uuid, u64>>>,
}

#[derive(Debug)]
struct Member {
    id: String,
    child: Child,
    /// Closing it asks the worker to end.
    stdin: Option<ChildStdin>,
    stderr: Arc<Mutex<Vec<String>>>,
    killed: bool,
}

impl Crew {
    /// Starts one more worker.
    pub(super) fn start(&mut self, id: String, orders: &Orders) -> anyhow::Result<()> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("demo-worker")
            .args(["--queue", &orders.queue, "--worker-id", &id])
            .args(["--concurrency", &orders.concurrency.to_string()])
            .args(["--lease", &format!("{}ms", orders.lease.as_millis())])
            .args(["--work", &format!("{}ms", orders.work.as_millis())])
            // the URL goes into the environment and not into the arguments, which every user of the
            // machine can read
            .env("DATABASE_URL", &orders.url)
            .env("FAIRCLAIM_CONNECTION", orders.connection.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C on the terminal is the demo's business, not each worker's
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let stderr = Arc::default();
        let stdin = child.stdin.take();
        if let Some(stdout) = child.stdout.take() {
            drop(follow(stdout, count_into(Arc::clone(&self.claims))));
        }
        if let Some(pipe) = child.stderr.take() {
            drop(follow(pipe, keep_last(Arc::clone(&stderr))));
        }
        self.members.push(Member { id, child, stdin, stderr, killed: false });
        Ok(())
    }

    /// Counts the jobs started so far, by tenant, as the workers report it a few times a second.
    pub(super) fn claims(&self) -> HashMap<Uuid, u64> {
        lock(&self.claims).clone()
    }

    /// How many workers have not been killed.
    pub(super) fn alive(&self) -> usize {
        self.members.iter().filter(|member| !member.killed).count()
    }

    /// Kills a worker with SIGKILL, in the middle of its work, and waits until it is gone.
    pub(super) async fn kill(&mut self, id: &str) -> anyhow::Result<()> {
        for member in self.members.iter_mut().filter(|member| member.id == id) {
            member.killed = true;
            member.child.kill().await?;
        }
        Ok(())
    }

    /// Fails when a worker has ended that should not have.
    pub(super) fn check(&mut self) -> anyhow::Result<()> {
        for member in self.members.iter_mut().filter(|member| !member.killed) {
            if let Some(status) = member.child.try_wait()? {
                let said = lock(&member.stderr).join("\n");
                return Err(Hinted::failed(
                    format!("{} ended by itself ({status}); it said:\n{said}", member.id),
                    "run it again; with RUST_LOG=info the workers say more",
                )
                .into());
            }
        }
        Ok(())
    }

    /// Asks every worker to end, and kills those that do not.
    pub(super) async fn stop(&mut self) {
        for member in &mut self.members {
            drop(member.stdin.take());
        }
        for member in &mut self.members {
            if timeout(STOP_GRACE, member.child.wait()).await.is_err() {
                let _ = member.child.kill().await;
            }
        }
        self.members.clear();
    }
}

/// Hands every line of a pipe to `take` until the pipe closes.
fn follow(
    pipe: impl AsyncRead + Unpin + Send + 'static,
    take: impl Fn(String) + Send + 'static,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut lines = BufReader::new(pipe).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            take(line);
        }
    })
}

/// A worker that is killed may leave half a line; it is skipped.
fn count_into(claims: Arc<Mutex<HashMap<Uuid, u64>>>) -> impl Fn(String) {
    move |line| {
        if let Ok(started) = serde_json::from_str::<HashMap<Uuid, u64>>(&line) {
            let mut claims = lock(&claims);
            for (tenant, count) in started {
                *claims.entry(tenant).or_default() += count;
            }
        }
    }
}

fn keep_last(kept: Arc<Mutex<Vec<String>>>) -> impl Fn(String) {
    move |line| {
        let mut kept = lock(&kept);
        if kept.len() == STDERR_LINES {
            kept.remove(0);
        }
        kept.push(line);
    }
}

/// What the locks guard stays consistent when a holder panics.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
