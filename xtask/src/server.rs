//! The PostgreSQL server that all tests of a run share.

use std::process::Command;

use anyhow::Context;
use private_postgres::PrivateServer;
use tokio::runtime::{Builder, Runtime};

/// Where the tests look for it (`crates/test-support/src/server.rs`).
const SHARED: &str = "FAIRCLAIM_TEST_SERVER";

/// Test databases need not outlive a crash of the machine; a few hundred sessions come from the races,
/// and transactions in two phases are off unless they are asked for.
const SETTINGS: [(&str, &str); 3] =
    [("fsync", "off"), ("max_connections", "300"), ("max_prepared_transactions", "20")];

/// A server for the time of a run.
pub(crate) struct RunServer {
    server: PrivateServer,
    runtime: Runtime,
}

impl RunServer {
    /// Starts one; the programs are downloaded or installed when this machine has none.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let runtime =
            Builder::new_current_thread().enable_all().build().context("no async runtime")?;
        let server = runtime.block_on(PrivateServer::builder().settings(SETTINGS).start())?;
        println!("server: {}", server.binaries());
        Ok(Self { server, runtime })
    }

    /// Tells a command where the server is.
    pub(crate) fn known_to(&self, command: &mut Command) {
        command.env(SHARED, self.url());
    }

    /// For the superuser.
    pub(crate) fn url(&self) -> String {
        self.server.superuser_url("postgres")
    }

    /// Ends the server, or leaves it running for a look at what failed.
    pub(crate) fn end(self, keep: bool) -> anyhow::Result<()> {
        if !keep {
            self.runtime.block_on(self.server.stop())?;
            return Ok(());
        }
        println!("the server goes on: {}", self.server.superuser_url("postgres"));
        println!("  log:  {}", self.server.directory().join("server.log").display());
        if let Some(pid) = self.server.pid() {
            println!("  stop: kill -INT {pid}; rm -r {}", self.server.directory().display());
        }
        self.server.leave_running();
        Ok(())
    }
}
