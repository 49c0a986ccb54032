//! Where the demo runs: a private PostgreSQL of its own, or a database that the user names.

use fairclaim::testing::PrivateServer;
use fairclaim::{Client, MigrateOptions};

/// The login of the private server: no superuser; it may create roles, and owns its database.
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
    /// Uses `url`, or else starts a private server; then installs the schema.
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

    /// In one line, what the demo works in.
    pub(super) fn story(&self) -> String {
        match &self.server {
            Some(server) => format!(
                "started {}, for this demo alone, with its data in {}; the plain login `{LOGIN}` \
                 installed the schema",
                server.binaries(),
                server.directory().display(),
            ),
            None => "brought the schema of your database up to date".to_owned(),
        }
    }

    /// Leaves the server running; answers what to do with it.
    pub(super) fn keep(self) -> String {
        let Some(server) = self.server else {
            return "\nThe database is yours and stays as it is.".to_owned();
        };
        let (directory, pid) = (server.directory().display().to_string(), server.pid());
        server.leave_running();
        let mut text = format!(
            "\nPostgreSQL keeps running. To look around:\n\n  \
             export DATABASE_URL='{url}'\n  \
             fairclaim jobs list --queue demo --limit 5\n  \
             fairclaim dispatch --tenant acme --type hello --payload '{{\"name\": \"you\"}}'\n  \
             fairclaim work --exec hello=cat --drain\n  \
             psql \"$DATABASE_URL\" -c 'select status, count(*) from fairclaim.job_overview group by 1'\n",
            url = self.url,
        );
        if let Some(pid) = pid {
            text.push_str(&format!(
                "\nTo end it: kill -INT {pid} && sleep 1 && rm -rf {directory}"
            ));
        }
        text
    }

    /// Stops a server that is ours, and removes its folder.
    pub(super) async fn stop(self) {
        self.client.pool().close();
        if let Some(server) = self.server {
            // dropping it stops it too; this way it does not block the runtime
            let _ = server.stop().await;
        }
    }
}
