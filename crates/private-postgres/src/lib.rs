//! A private PostgreSQL server: for a demo, and for the tests of your application.
//!
//! It listens on a unix socket in a folder that only its own account may enter, so every login is trusted there and none
//! needs a password. Over the loopback, where it listens when asked to, every login needs one. It ends with the process
//! that started it, however that process dies.
//!
//! ```no_run
//! use private_postgres::PrivateServer;
//!
//! # async fn example() -> Result<(), private_postgres::Error> {
//! let server = PrivateServer::builder().setting("fsync", "off").start().await?;
//! server.create_login("app", "createrole").await?;
//! server.create_database("app", "app").await?;
//! let url = server.url("app", "app"); // give it to your application
//! # Ok(()) }
//! ```

#![cfg(unix)]
#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod account;
mod binaries;
mod download;
mod error;
mod find;
mod guard;
mod pinned;
mod place;
mod process;
mod server;

pub use self::{
    binaries::Binaries,
    error::{Error, Result},
    find::find_binaries,
    server::{PrivateServer, PrivateServerBuilder},
};
