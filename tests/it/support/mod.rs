//! What every integration test stands on: a database of its own, made from a template, and a login for every role.
//!
//! ```ignore
//! let db = TestDb::new().await;
//! let (producer, worker) = (db.producer().await, db.worker().await);
//! ```

#![allow(dead_code, reason = "each test binary uses its own part")]

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
