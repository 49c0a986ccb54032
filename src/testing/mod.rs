//! A private PostgreSQL server for the demo, for the tests of this crate, and for tests of your own application.
//!
//! It listens on a unix socket in a folder that only its own account may enter, so every login is trusted there and none
//! needs a password; over the loopback, where it listens when asked to, every login does. It ends with the process that started it, however that process dies.
//!
//! ```no_run
//! use fairclaim::{Client, MigrateOptions, testing::PrivateServer};
//!
//! # async fn example() -> Result<(), fairclaim::Error> {
//! let server = PrivateServer::builder().setting("fsync", "off").start().await?;
//! server.create_login("app", "createrole").await?;
//! server.create_database("app", "app").await?;
//! let client = Client::connect(&server.url("app", "app")).await?;
//! client.migrate(&MigrateOptions::default()).await?;
//! # Ok(()) }
//! ```

mod account;
mod binaries;
mod download;
mod guard;
mod pinned;
mod place;
mod process;
mod server;

pub use self::{
    binaries::{Binaries, find_binaries},
    server::{PrivateServer, PrivateServerBuilder},
};

use crate::Error;

/// An error of the launcher that knows what to do about it.
fn fault(message: impl Into<String>, hint: impl Into<String>) -> Error {
    Error::Server { message: message.into(), hint: Some(hint.into()) }
}

/// An input or output error, with what was being done.
fn io_fault(doing: &str, error: &std::io::Error) -> Error {
    Error::Server { message: format!("{doing}: {error}"), hint: None }
}
