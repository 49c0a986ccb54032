//! The server that the tests run on: the one that `cargo xtask test` started for the whole run,
//! else one that this process starts when its first test needs it.

use std::env;

use private_postgres::PrivateServer;
use tokio::sync::OnceCell;
use tokio_postgres::NoTls;

use crate::{Client, pooler};

/// The URL of the run's server, as its superuser.
const SHARED: &str = "FAIRCLAIM_TEST_SERVER";

/// Where the run's pooler is, as it stands in a URL; set while the tests run through one.
const POOLER: &str = "FAIRCLAIM_TEST_POOLER";

/// Nothing of a test database has to outlive a crash of the machine; transactions in two phases are
/// off unless asked for.
const SETTINGS: [(&str, &str); 3] =
    [("fsync", "off"), ("max_connections", "300"), ("max_prepared_transactions", "20")];

/// Never dropped, since it is static; the server notices that this process has ended, and ends too.
static OWN: OnceCell<PrivateServer> = OnceCell::const_new();

/// Where the server is.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    superuser_url: String,
}

impl Server {
    /// The run's server, or this process's own.
    pub(crate) async fn get() -> Self {
        if let Ok(superuser_url) = env::var(SHARED) {
            return Self { superuser_url };
        }
        let start = || PrivateServer::builder().settings(SETTINGS).start();
        let server = OWN.get_or_try_init(start).await.unwrap_or_else(|error| {
            panic!("no server to test on: {error}\nhint: {}", error.hint().unwrap_or("none"));
        });
        Self { superuser_url: server.superuser_url("postgres") }
    }

    /// The URL of a database for a login.
    pub(crate) fn url(&self, database: &str, login: &str) -> String {
        let (_, server) = self.superuser_url.split_once('@').expect("a URL with a user");
        let (host, _) = server.rsplit_once('/').expect("a URL with a database");
        format!("postgres://{login}@{host}/{database}")
    }

    /// The same through the run's pooler, where there is one.
    pub(crate) fn pooled_url(&self, database: &str, login: &str) -> String {
        let url = self.url(database, login);
        match env::var(POOLER) {
            Ok(server) => pooler::through(&server, &url),
            Err(_) => url,
        }
    }

    /// A session of the superuser, who makes logins and databases and is nobody in a test.
    pub(crate) async fn superuser(&self) -> Client {
        connect(&self.superuser_url).await
    }
}

/// A session whose connection is served in the background until it is dropped.
pub async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap_or_else(|error| {
        let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        panic!("cannot connect to {url}: {error} {cause}");
    });
    // a test that ends a session on purpose wants no message about it
    tokio::spawn(async { drop(connection.await) });
    let pooled = url.contains(pooler::MARK);
    Client::new(client, pooled)
}
