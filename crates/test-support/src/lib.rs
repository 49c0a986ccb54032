//! What the tests of this workspace stand on. Those of the library have a database of their own each, made from a
//! template, and a login for every role. Those of the binary ([`binary`]) have a server of their own.
//!
//! ```ignore
//! let db = TestDb::new().await;
//! let (producer, worker) = (db.producer().await, db.worker().await);
//! ```

#![cfg(unix)]

pub mod binary;
mod catalog;
mod client;
mod database;
pub mod logins;
pub mod pooler;
mod server;
mod template;
pub mod waiting;

pub use catalog::CATALOG;
pub use client::{Client, GenericClient};
pub use database::TestDb;
pub use server::connect;
