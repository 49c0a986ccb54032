//! The workers as operators see them: who lives, with which queues and slots.

use std::time::SystemTime;

use serde::Serialize;
use tokio_postgres::Row;

use crate::{client::Client, error::Result, protocol::statements::WORKERS};

/// One worker of [`Client::workers`].
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct WorkerRow {
    /// Its id, which jobs have as their `worker_id`.
    pub id: String,
    /// The machine that it runs on.
    pub host: String,
    /// The version of its program.
    pub version: String,
    /// The queues that it serves.
    pub queues: Vec<String>,
    /// How many jobs of each of these queues it runs at once.
    pub slots: Vec<i32>,
    /// The types that it handles; none for every type.
    pub types: Option<Vec<String>>,
    /// How many jobs it holds.
    pub running: i32,
    /// When it first reported.
    #[serde(serialize_with = "crate::protocol::timestamp::serialize")]
    pub started_at: SystemTime,
    /// When it last reported.
    #[serde(serialize_with = "crate::protocol::timestamp::serialize")]
    pub seen_at: SystemTime,
    /// How many seconds ago that was by the clock of the database.
    pub seen_seconds: f64,
    /// Until when it may be silent, since it is idle.
    #[serde(serialize_with = "crate::protocol::timestamp::serialize")]
    pub silent_until: SystemTime,
    /// Whether it lives: it has not been silent for longer than it said.
    pub is_live: bool,
}

impl Client {
    /// Lists the workers that have reported, by their ids: those that live, and for an hour those
    /// that fell silent. One that ended as it should is not listed.
    ///
    /// # Errors
    /// [`ErrorKind::PrivilegeMissing`](crate::ErrorKind::PrivilegeMissing) for a login that is
    /// neither operator nor observer.
    pub async fn workers(&self) -> Result<Vec<WorkerRow>> {
        self.rows(&WORKERS, &[]).await?.iter().map(worker_row).collect()
    }
}

fn worker_row(row: &Row) -> Result<WorkerRow> {
    Ok(WorkerRow {
        id: row.try_get("id")?,
        host: row.try_get("host")?,
        version: row.try_get("version")?,
        queues: row.try_get("queues")?,
        slots: row.try_get("slots")?,
        types: row.try_get("types")?,
        running: row.try_get("running")?,
        started_at: row.try_get("started_at")?,
        seen_at: row.try_get("seen_at")?,
        seen_seconds: row.try_get("seen_seconds")?,
        silent_until: row.try_get("silent_until")?,
        is_live: row.try_get("is_live")?,
    })
}
