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
                server.create_login(LOGIN, NAME).await?;
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
