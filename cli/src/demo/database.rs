//! Where the demo runs: a private PostgreSQL of its own, or a database that the user names.

use std::time::Duration;

use fairclaim::testing::PrivateServer;
use fairclaim::{Client, MigrateOptions};

/// The login of the private server: no superuser, it may create roles and owns its database.
const LOGIN: &str = "demo";
const NAME: &str = "demo";

/// An installed schema, and the server under it when that is ours.
#[derive(Debug)]
pub(super) struct Database {
    pub(super) client: Client,
    url: String,
    server: Option<PrivateServer>,
}

impl Database {
    /// Uses `url`, or else starts a private server.
    pub(super) async fn open(url: Option<&str>, offline: bool) -> anyhow::Result<Self> {
        let (url, server) = match url {
            Some(url) if !url.trim().is_empty() => (url.to_owned(), None),
            _ => {
                let server = PrivateServer::builder().offline(offline).start().await?;
                server.create_login(LOGIN, "createrole").await?;
                server.create_database(NAME, LOGIN).await?;
                (server.url(NAME, LOGIN), Some(server))
            }
        };
        let client = Client::connect(&url).await?;
        client.migrate(&MigrateOptions::default().grant_self(true)).await?;
        Ok(Self { client, url, server })
    }

    pub(super) fn is_private(&self) -> bool {
        self.server.is_some()
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }
}

impl Database {
    /// In one line, what the demo works in.
    pub(super) fn story(&self) -> String {
        match &self.server {
            Some(server) => format!(
                "started a private PostgreSQL in {} and installed the schema as the plain login `{LOGIN}`",
                server.directory().display(),
            ),
            None => "installed the schema in the database that you named".to_owned(),
        }
    }

    /// Leaves the server running; answers what to do with it.
    pub(super) fn keep(self) -> String {
        todo!()
    }

    pub(super) async fn stop(self) {
        drop(self.client);
        if let Some(server) = self.server {
            server.stop().await;
        }
    }
}
