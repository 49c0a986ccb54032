//! `fairclaim work --sleep-after`: no connection and no statement, until the wake port or a signal
//! wakes it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use fairclaim::{JobFilter, Status};
use private_postgres::PrivateServer;

use crate::support::{PATIENCE, Running, TestServer, start, stderr};

/// Longer than the pauses of any worker that polls.
const QUIET: Duration = Duration::from_secs(4);

struct Sleeper {
    server: TestServer,
    worker: Running,
    port: u16,
}

impl Sleeper {
    /// A worker with a login of its own, whose every connection and statement stands in the
    /// server's log.
    async fn start() -> Self {
        let server = PrivateServer::builder()
            .setting("log_statement", "all")
            .setting("log_connections", "on")
            .setting("log_line_prefix", "<%u> ");
        let server = TestServer::installed_on(server).await;
        server.postgres.create_login("sleeper", "in role fairclaim_worker").await.unwrap();
        let free = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let mut command =
            server.fairclaim(["work", "--exec", "nothing=true", "--sleep-after", "1s"]);
        command
            .args(["--wake-port", &port.to_string()])
            .env("DATABASE_URL", server.postgres.url("app", "sleeper"));
        let worker = start(&mut command);
        Self { server, worker, port }
    }

    /// How much the server has heard of the worker.
    fn heard(&self) -> usize {
        let log = std::fs::read(self.server.postgres.directory().join("server.log")).unwrap();
        String::from_utf8_lossy(&log).lines().filter(|line| line.starts_with("<sleeper>")).count()
    }

    async fn sessions(&self) -> i64 {
        let sql = "select count(*) from pg_catalog.pg_stat_activity where usename = 'sleeper'";
        self.server.read(sql).await[0].get(0)
    }

    async fn until_asleep(&self) {
        let deadline = std::time::Instant::now() + PATIENCE;
        while self.sessions().await > 0 {
            assert!(std::time::Instant::now() < deadline, "it does not sleep");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Dispatches a job, which reaches no worker that sleeps.
    async fn dispatch_in_its_sleep(&self, done: usize) {
        self.until_asleep().await;
        let before = self.heard();
        self.server.dispatch("nothing", 1).await;
        tokio::time::sleep(QUIET).await;
        assert_eq!(self.heard(), before, "the server hears nothing of a worker that sleeps");
        assert_eq!(self.completed().await, done);
    }

    async fn completed(&self) -> usize {
        self.server.count(Status::Completed).await
    }

    /// One request to the wake port; the answer.
    fn request(&self, head: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_to_the_wake_port_or_a_signal_wakes_a_worker_that_sleeps() {
    let sleeper = Sleeper::start().await;
    sleeper.server.dispatch("nothing", 1).await;
    sleeper.server.until(Status::Completed, 1).await;
    assert!(sleeper.heard() > 0, "what it sends stands in the log");

    sleeper.dispatch_in_its_sleep(1).await;
    let answer = sleeper.request("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
    sleeper.server.until(Status::Completed, 2).await;

    // somebody who only looks whether the port is open wakes nobody
    sleeper.until_asleep().await;
    let before = sleeper.heard();
    drop(TcpStream::connect(("127.0.0.1", sleeper.port)).unwrap());
    sleeper.dispatch_in_its_sleep(2).await;
    assert_eq!(sleeper.heard(), before);
    sleeper.worker.signal("USR1");
    sleeper.server.until(Status::Completed, 3).await;

    sleeper.dispatch_in_its_sleep(3).await;
    let answer = sleeper.request("POST /jobs HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}");
    assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
    sleeper.server.until(Status::Completed, 4).await;

    // it ends in its sleep like any other worker
    sleeper.until_asleep().await;
    let Sleeper { server, worker, .. } = sleeper;
    worker.signal("TERM");
    let ended = worker.end();
    assert!(ended.status.success(), "{}", stderr(&ended));
    let all = server.client.jobs(&JobFilter::default()).await.unwrap();
    assert!(all.jobs.iter().all(|job| job.attempts == 1), "each ran once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wake_port_that_somebody_else_has_ends_the_worker_with_its_reason() {
    let server = TestServer::installed().await;
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let mut command = server.fairclaim(["work", "--exec", "nothing=true", "--sleep-after", "1s"]);
    let worker = start(command.args(["--wake-port", &port]));
    let ended = worker.end();
    let said = stderr(&ended);
    assert!(!ended.status.success() && said.contains("cannot listen on"), "{said}");
}
