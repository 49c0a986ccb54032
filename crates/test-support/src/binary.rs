//! For tests of the built binary: a database to work in, and ways to run the binary on it.

use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use fairclaim::{Client, Dispatch, JobFilter, JobRow, MigrateOptions, Status, Tenant};
use private_postgres::{PrivateServer, PrivateServerBuilder};
use serde_json::json;
use tokio_postgres::Row;
use uuid::Uuid;

/// Longer than anything here takes on a busy machine; a test that waits this long has failed.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// An installed schema on a server that no other test uses.
#[derive(Debug)]
pub struct TestServer {
    pub postgres: PrivateServer,
    pub client: Client,
    pub url: String,
}

impl TestServer {
    /// A server with a database that a plain login owns; no schema yet.
    pub async fn bare() -> Self {
        Self::bare_on(PrivateServer::builder()).await
    }

    async fn bare_on(server: PrivateServerBuilder) -> Self {
        let server = server.start().await.unwrap();
        server.create_login("app", "createrole").await.unwrap();
        server.create_database("app", "app").await.unwrap();
        let url = server.url("app", "app");
        Self { client: Client::connect(&url).await.unwrap(), postgres: server, url }
    }

    /// The same with the schema installed.
    pub async fn installed() -> Self {
        Self::installed_on(PrivateServer::builder()).await
    }

    /// The same on a server of one's own choice.
    pub async fn installed_on(server: PrivateServerBuilder) -> Self {
        let server = Self::bare_on(server).await;
        server.client.migrate(&MigrateOptions::default().grant_self(true)).await.unwrap();
        server
    }

    /// The binary with this database in its environment.
    pub fn fairclaim<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = fairclaim(args);
        command.env("DATABASE_URL", &self.url);
        command
    }

    /// Runs a command that must succeed; answers its stdout.
    pub fn run<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> String {
        let output = self.fairclaim(args).output().unwrap();
        let stdout = String::from_utf8(output.stdout.clone()).unwrap();
        assert!(output.status.success(), "{stdout}\n{}", stderr(&output));
        stdout
    }

    /// Dispatches jobs of one type for two tenants; their attempts may fail twice.
    pub async fn dispatch(&self, job_type: &str, count: usize) -> Vec<Uuid> {
        let jobs = (0..count).map(|n| {
            let tenant = Tenant::named(["acme", "bolt"][n % 2]).unwrap();
            Dispatch::raw(tenant, job_type, json!({ "n": n })).unwrap().max_attempts(2)
        });
        self.client.dispatch_many(jobs).await.unwrap()
    }

    /// Looks behind the protocol, as the owner of the tables, which the login may be since it has
    /// installed them.
    pub async fn read(&self, sql: &str) -> Vec<Row> {
        let mut connection = self.client.pool().get().await.unwrap();
        let reading = connection.build_transaction().read_only(true).start().await.unwrap();
        reading.batch_execute("set local role fairclaim_owner").await.unwrap();
        reading.query(sql, &[]).await.unwrap()
    }

    pub async fn job(&self, id: Uuid) -> JobRow {
        self.client.job(id).await.unwrap().unwrap()
    }

    /// How many jobs have a status.
    pub async fn count(&self, status: Status) -> usize {
        let mut filter =
            JobFilter { status: Some(status), limit: Some(1000), ..JobFilter::default() };
        let mut count = 0;
        loop {
            let page = self.client.jobs(&filter).await.unwrap();
            count += page.jobs.len();
            match page.next {
                Some(next) => filter.before = Some(next),
                None => return count,
            }
        }
    }

    /// Waits until at least so many jobs have a status.
    pub async fn until(&self, status: Status, at_least: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.count(status).await < at_least {
            assert!(
                Instant::now() <= deadline,
                "never saw {at_least} jobs {status}; now: {}",
                self.run(["jobs", "list"])
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Where cargo has built the binary: one folder above the running test program.
fn path() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().join("fairclaim")
}

/// The binary, with nothing of our own environment that it would look at.
pub fn fairclaim<'a>(args: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(path());
    command
        .args(args)
        .env_remove("DATABASE_URL")
        .env_remove("RUST_LOG")
        .env_remove("FAIRCLAIM_CONNECTION")
        .stdin(Stdio::null());
    command
}

/// Starts a command whose output is kept for the end.
pub fn start(command: &mut Command) -> Running {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = child.stderr.take().unwrap();
    // read all the time: a worker that logs into a full pipe stands still
    let said = std::thread::spawn(move || {
        let mut said = Vec::new();
        stderr.read_to_end(&mut said).map(|_| said).unwrap_or_default()
    });
    Running { child: Some(child), said: Some(said) }
}

/// A process that does not outlive its test.
#[derive(Debug)]
pub struct Running {
    child: Option<Child>,
    said: Option<JoinHandle<Vec<u8>>>,
}

/// The most memory that a running process has held so far, in KiB.
pub fn peak_memory_kb(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

impl Running {
    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    pub fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// Waits for its end. What it wrote to stdout must fit into a pipe.
    pub fn end(mut self) -> Output {
        let mut child = self.child.take().unwrap();
        let deadline = Instant::now() + PATIENCE;
        while child.try_wait().unwrap().is_none() {
            if Instant::now() > deadline {
                child.kill().unwrap();
                let said = self.said.take().unwrap().join().unwrap();
                panic!("it did not end; it said: {}", String::from_utf8_lossy(&said));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let mut output = child.wait_with_output().unwrap();
        output.stderr = self.said.take().unwrap().join().unwrap();
        output
    }

    pub fn take_stdout(&mut self) -> std::process::ChildStdout {
        self.child.as_mut().unwrap().stdout.take().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Whether a process runs. A killed orphan stays a zombie where there is no init.
pub fn runs(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()))
        .is_ok_and(|stat| !stat.contains(") Z "))
}

/// Waits until something is so.
pub fn wait_for(what: &str, so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
