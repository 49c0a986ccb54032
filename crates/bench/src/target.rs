//! Where a benchmark runs: a private server with a new database for every repetition, or the one
//! database that was named.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Result;
use fairclaim::deadpool_postgres::Object;
use fairclaim::{Client, ConnectOptions, MigrateOptions};
use private_postgres::PrivateServer;
use tokio_postgres::types::Type;

use crate::progress::progress;

/// A connection that goes back to its pool.
pub(crate) type Session = Object;

/// The login of the private server: no superuser.
const LOGIN: &str = "bench";
/// Copied for every repetition; no session may be connected to it then.
const TEMPLATE: &str = "bench_template";
/// Enough for every scenario's own connections; workers have theirs besides.
const CONNECTIONS: usize = 65;

/// Durable, and large enough that a run of a few minutes has no checkpoint in the middle.
const SETTINGS: [(&str, &str); 7] = [
    ("fsync", "on"),
    ("synchronous_commit", "on"),
    ("full_page_writes", "on"),
    ("max_wal_size", "16GB"),
    ("checkpoint_timeout", "1h"),
    ("max_connections", "200"),
    ("log_min_messages", "fatal"),
];

/// The server.
pub(crate) struct Target {
    /// None where a database was named.
    private: Option<PrivateServer>,
    /// The database that was named, or the private server's own.
    url: String,
    options: ConnectOptions,
    sites: AtomicU32,
}

/// One database, and a queue in it that is empty at first.
pub(crate) struct Site {
    pub(crate) queue: String,
    /// Looks at what happens.
    pub(crate) control: Session,
    url: String,
    client: Client,
    options: ConnectOptions,
    drop: Option<Drop>,
}

/// How to drop a database of the private server.
struct Drop {
    admin: Client,
    database: String,
}

impl Target {
    pub(crate) async fn open(
        url: Option<&str>,
        options: ConnectOptions,
        quick: bool,
    ) -> Result<Self> {
        let (url, private) = match url {
            Some(url) if !url.trim().is_empty() => {
                let client = Client::connect_with(url, &options).await?;
                client.migrate(&MigrateOptions::default().grant_self(true)).await?;
                refuse_foreign_jobs(&client).await?;
                (url.to_owned(), None)
            }
            _ => {
                let server = private_server(quick).await?;
                (server.url("postgres", LOGIN), Some(server))
            }
        };
        Ok(Self { private, url, options, sites: AtomicU32::new(0) })
    }

    /// A client for questions about the server as such.
    pub(crate) async fn client(&self) -> Result<Client> {
        Ok(Client::connect_with(&self.url, &self.options).await?)
    }

    /// The site of one repetition.
    pub(crate) async fn site(&self) -> Result<Site> {
        let number = self.sites.fetch_add(1, Ordering::Relaxed);
        let (queue, url, drop) = if let Some(server) = &self.private {
            let database = format!("bench_{number}");
            let make = format!("create database {database} template {TEMPLATE} owner {LOGIN}");
            server.execute_as_superuser("postgres", &make).await?;
            let url = server.url(&database, LOGIN);
            let admin = Client::connect(&server.superuser_url("postgres")).await?;
            ("bench".to_owned(), url, Some(Drop { admin, database }))
        } else {
            let queue = format!("bench-{}-{number}", uuid::Uuid::new_v4().simple());
            (queue, self.url.clone(), None)
        };
        let options = self.options.clone();
        let own = options.clone().pool_size(CONNECTIONS).application_name("fairclaim bench");
        let client = Client::connect_with(&url, &own).await?;
        let control = session(&client).await?;
        Ok(Site { queue, control, url, client, options, drop })
    }

    pub(crate) async fn close(self) -> Result<()> {
        if let Some(server) = self.private {
            server.stop().await?;
        }
        Ok(())
    }
}

async fn private_server(quick: bool) -> Result<PrivateServer> {
    progress("starting a private PostgreSQL");
    let memory = if quick { "128MB" } else { "1GB" };
    let builder = PrivateServer::builder().settings(SETTINGS).setting("shared_buffers", memory);
    let server = builder.start().await?;
    server.create_login(LOGIN, "createrole").await?;
    server.create_database(TEMPLATE, LOGIN).await?;
    let client = Client::connect(&server.url(TEMPLATE, LOGIN)).await?;
    client.migrate(&MigrateOptions::default().grant_self(true)).await?;
    client.pool().close();
    // sizes of full-page images; without it they are counted, not measured
    let inspect = format!(
        "create extension pg_walinspect;
         grant execute on function pg_get_wal_stats to {LOGIN};"
    );
    if server.execute_as_superuser(TEMPLATE, &inspect).await.is_err() {
        progress(
            "the extension pg_walinspect is not installed: full-page images count as 8 kB each",
        );
    }
    Ok(server)
}

/// Refuses a database in which other jobs wait.
#[derive(Debug)]
pub struct ForeignJobs;

impl ForeignJobs {
    /// Says what to do next.
    pub const HINT: &str =
        "give bench a database of its own, or none: it then starts a private PostgreSQL";
}

impl fmt::Display for ForeignJobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this database has jobs of another application")
    }
}

impl std::error::Error for ForeignJobs {}

/// A benchmark's jobs would compete with real ones, and slow them down.
async fn refuse_foreign_jobs(client: &Client) -> Result<()> {
    let text = "select exists (select from fairclaim.job_overview where queue not like 'bench%')";
    if session(client).await?.query_typed_one(text, &[]).await?.get(0) {
        return Err(ForeignJobs.into());
    }
    Ok(())
}

impl Site {
    pub(crate) async fn session(&self) -> Result<Session> {
        session(&self.client).await
    }

    /// A session that may look into the tables.
    pub(crate) async fn owner(&self) -> Result<Session> {
        let session = self.session().await?;
        session.batch_execute("set role fairclaim_owner").await?;
        Ok(session)
    }

    pub(crate) async fn sessions(&self, number: usize) -> Result<Vec<Session>> {
        let mut sessions = Vec::new();
        for _ in 0..number {
            sessions.push(self.session().await?);
        }
        Ok(sessions)
    }

    /// Whether its server was started for this, on this machine.
    pub(crate) fn is_private(&self) -> bool {
        self.drop.is_some()
    }

    /// A client with connections of its own, as another process has.
    pub(crate) async fn client(&self) -> Result<Client> {
        Ok(Client::connect_with(&self.url, &self.options).await?)
    }

    /// How many jobs of the queue are completed.
    pub(crate) async fn finished(&self) -> Result<u64> {
        let text =
            "select count(*) from fairclaim.job_overview where queue = $1 and status = 'completed'";
        let queue = [(&self.queue as _, Type::TEXT)];
        let count: i64 = self.control.query_typed_one(text, &queue).await?.get(0);
        Ok(u64::try_from(count)?)
    }

    /// Drops the database, if it was made for this.
    pub(crate) async fn close(self) -> Result<()> {
        self.client.pool().close();
        if let Some(Drop { admin, database }) = self.drop {
            session(&admin)
                .await?
                .batch_execute(&format!("drop database {database} with (force)"))
                .await?;
        }
        Ok(())
    }
}

/// A connection of a client's pool.
pub(crate) async fn session(client: &Client) -> Result<Session> {
    Ok(client.pool().get().await.map_err(fairclaim::Error::from)?)
}
