//! What the fault tests stand on: a server of their own behind a proxy that can be told to
//! misbehave, dispatchers and workers that go on whatever happens, and an audit of what came of it.
//!
//! The everyday tests use it in small, `cargo xtask test --slow` in full.

pub(crate) mod audit;
pub(crate) mod dispatchers;
pub(crate) mod faults;
pub(crate) mod proxy;
pub(crate) mod workers;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use fairclaim::{Dispatch, Tenant};
use private_postgres::{PrivateServer, PrivateServerBuilder};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio_postgres::types::ToSql;
use tokio_postgres::{NoTls, Row};
use uuid::Uuid;

use self::audit::Audit;
use self::dispatchers::Dispatchers;
use self::proxy::Proxy;
use self::workers::Workers;
use crate::support::TestServer;

const WITNESS: &str = include_str!("stage/witness.sql");

/// Longer than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

/// The sizes of a run: small every day, large in the slow suite.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Size {
    Small,
    Large,
}

impl Size {
    pub(crate) fn of<T>(self, small: T, large: T) -> T {
        match self {
            Self::Small => small,
            Self::Large => large,
        }
    }
}

/// One server with a witness in it, and the files in which dispatchers and handlers write what they
/// did.
pub(crate) struct Stage {
    pub(crate) server: TestServer,
    pub(crate) proxy: Proxy,
    /// One line for each job whose dispatch was answered.
    pub(crate) answered: PathBuf,
    /// One line for each start of a handler.
    pub(crate) starts: PathBuf,
    files: PathBuf,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::on(PrivateServer::builder()).await
    }

    pub(crate) async fn on(server: PrivateServerBuilder) -> Self {
        let server = TestServer::installed_on(server).await;
        let (client, link) = tokio_postgres::connect(&server.url, NoTls).await.unwrap();
        let link = tokio::spawn(link);
        client.batch_execute(WITNESS).await.unwrap();
        drop(client);
        let _ = link.await;
        let files = std::env::temp_dir().join(format!("fc-faults-{}", Uuid::new_v4().simple()));
        std::fs::create_dir(&files).unwrap();
        let socket = socket_of(&server.url);
        Self {
            proxy: Proxy::start(socket).await,
            answered: files.join("answered"),
            starts: files.join("starts"),
            files,
            server,
        }
    }

    /// The way through the proxy.
    pub(crate) fn proxied(&self) -> String {
        format!("postgres://app@127.0.0.1:{}/app?sslmode=disable", self.proxy.port)
    }

    /// Where logs of workers go.
    pub(crate) fn log(&self, worker_id: &str) -> PathBuf {
        self.files.join(format!("{worker_id}.log"))
    }

    /// Looks behind the protocol, as the owner of the tables; the server may be away for a while.
    pub(crate) async fn ask(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Vec<Row> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match ask_once(&self.server.url, sql, parameters).await {
                Ok(rows) => return rows,
                Err(error) => {
                    let severe = error.as_db_error().is_some_and(|error| {
                        !["57", "53", "40", "55"]
                            .iter()
                            .any(|class| error.code().code().starts_with(class))
                    });
                    assert!(!severe && Instant::now() < deadline, "{sql}: {error:?}");
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub(crate) async fn number(&self, sql: &str) -> i64 {
        self.ask(sql, &[]).await[0].get(0)
    }

    /// Waits until a number is reached; false when it never is.
    pub(crate) async fn reaches(&self, sql: &str, at_least: i64, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        while self.number(sql).await < at_least {
            if Instant::now() >= deadline {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        true
    }

    pub(crate) async fn until(&self, sql: &str, at_least: i64) {
        assert!(
            self.reaches(sql, at_least, PATIENCE).await,
            "never {at_least}, only {}: {sql}",
            self.number(sql).await
        );
    }

    /// So many more jobs than now.
    pub(crate) async fn until_completed_more(&self, more: i64) {
        let now = self.number(COMPLETED).await;
        self.until(COMPLETED, now + more).await;
    }

    /// One job of type `job`, past the proxy.
    pub(crate) async fn dispatch_one(&self) -> String {
        let job = Dispatch::raw(Tenant::named("acme").unwrap(), "job", serde_json::json!({}));
        self.server.client.dispatch(job.unwrap()).await.unwrap().to_string()
    }

    pub(crate) async fn until_completed_of(&self, id: &str) {
        let sql = format!(
            "select count(*) from fairclaim_internal.finished where status = 'completed' and id = '{id}'"
        );
        self.until(&sql, 1).await;
    }

    pub(crate) async fn until_all_ended(&self) {
        let ended = self.reaches(ENDED_MINUS_JOBS, 0, PATIENCE).await;
        assert!(ended, "{} jobs never ended", -self.number(ENDED_MINUS_JOBS).await);
    }

    /// Runs statements as the owner of the tables, to prepare a fault or to spoil a function.
    pub(crate) async fn as_owner(&self, sql: &str) {
        let (client, link) = tokio_postgres::connect(&self.server.url, NoTls).await.unwrap();
        let link = tokio::spawn(link);
        client.batch_execute("set role fairclaim_owner").await.unwrap();
        client.batch_execute(sql).await.unwrap();
        drop(client);
        let _ = link.await;
    }

    /// Spoils a function: every occurrence of a piece of its text becomes another one.
    pub(crate) async fn spoil(&self, function: &str, from: &str, to: &str) {
        let sql = format!(
            "select pg_get_functiondef(p.oid) from pg_proc p
              where p.pronamespace = any ('{{fairclaim,fairclaim_internal}}'::regnamespace[]) and p.proname = '{function}'"
        );
        let text: String = self.ask(&sql, &[]).await[0].get(0);
        assert!(text.contains(from), "{function} has no such text: {from}");
        self.as_owner(&text.replace(from, to)).await;
    }

    /// Ends the load in order: no more dispatches, all jobs done, workers told to stop. Then the
    /// audit.
    pub(crate) async fn close(&self, dispatchers: Dispatchers, workers: Workers) -> Audit {
        dispatchers.finish().await;
        self.until_all_ended().await;
        workers.stop();
        Audit::of(self).await
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("logs and books of the failed run: {}", self.files.display());
        } else {
            let _ = std::fs::remove_dir_all(&self.files);
        }
    }
}

pub(crate) const COMPLETED: &str =
    "select count(*) from fairclaim_internal.finished where status = 'completed'";
pub(crate) const DISPATCHED: &str = "select count(*) from fairclaim_internal.job";
const ENDED_MINUS_JOBS: &str = "select (select count(*) from fairclaim_internal.finished) - (select count(*) from fairclaim_internal.job)";

async fn ask_once(
    url: &str,
    sql: &str,
    parameters: &[&(dyn ToSql + Sync)],
) -> Result<Vec<Row>, tokio_postgres::Error> {
    let (client, link) = tokio_postgres::connect(url, NoTls).await?;
    let link = tokio::spawn(link);
    let rows = async {
        client.batch_execute("set role fairclaim_owner").await?;
        client.query(sql, parameters).await
    };
    let rows = tokio::time::timeout(Duration::from_secs(60), rows).await;
    drop(client);
    link.abort();
    rows.unwrap_or_else(|_| panic!("no answer for a minute: {sql}"))
}

/// The socket of a server, from the URL that leads there.
fn socket_of(url: &str) -> PathBuf {
    let config: tokio_postgres::Config = url.parse().unwrap();
    let tokio_postgres::config::Host::Unix(folder) = &config.get_hosts()[0] else {
        panic!("not a socket: {url}")
    };
    folder.join(format!(".s.PGSQL.{}", config.get_ports().first().unwrap_or(&5432)))
}

/// What a fault needs and this machine does not have. To go without it has to be asked for.
pub(crate) fn not_run(fault: &str, needs: &str) {
    assert!(
        std::env::var_os("FAIRCLAIM_MAY_SKIP").is_some_and(|value| !value.is_empty()),
        "{fault}: NOT RUN, it needs {needs}; FAIRCLAIM_MAY_SKIP=1 goes on without"
    );
    println!("{fault}: NOT RUN, it needs {needs}");
}

/// Draws that can be had again: the seed is printed, and `FAULT_SEED` sets it.
pub(crate) fn draws() -> StdRng {
    let seed = std::env::var("FAULT_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(rand::random::<u64>);
    println!("FAULT_SEED={seed}");
    StdRng::seed_from_u64(seed)
}

/// Sends a signal to a process of ours.
pub(crate) fn signal(name: &str, pid: u32) -> bool {
    std::process::Command::new("kill")
        .args(["-s", name, &pid.to_string()])
        .stderr(std::process::Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
