//! From the rows of a claim to work.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::value::RawValue;
use tokio_postgres::{Row, types::Json};

use super::{
    hold::{Hold, HoldRow},
    registry::{Entry, Registry},
};
use crate::error::Result;

/// A claimed job that waits for a free slot.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) hold: Arc<Hold>,
    pub(crate) payload: Box<RawValue>,
    pub(crate) timeout: Option<Duration>,
    /// None for a type that no handler is registered for; claims never ask for one.
    pub(crate) entry: Option<Arc<Entry>>,
}

/// Which claim a row belongs to.
pub(crate) struct ClaimContext<'a> {
    pub(crate) registry: &'a Registry,
    pub(crate) queue: &'a Arc<str>,
    pub(crate) sent_at: Instant,
    pub(crate) lease: Duration,
}

impl ClaimContext<'_> {
    /// By position: looking every name up would cost more than all the rest.
    pub(crate) fn work(&self, row: &Row) -> Result<Work> {
        let job_type: &str = row.try_get(column::TYPE)?;
        let entry = self.registry.get(job_type).cloned();
        let own: Option<f64> = row.try_get(column::TIMEOUT)?;
        let own = own.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let timeout = own.or(entry.as_ref().and_then(|entry| entry.timeout));
        let Json(payload) = row.try_get(column::PAYLOAD)?;
        let hold = HoldRow {
            id: row.try_get(column::ID)?,
            tenant: row.try_get(column::TENANT)?,
            queue: Arc::clone(self.queue),
            job_type: entry
                .as_ref()
                .map_or_else(|| job_type.into(), |entry| Arc::clone(&entry.job_type)),
            attempt: row.try_get(column::ATTEMPT)?,
            max_attempts: row.try_get(column::MAX_ATTEMPTS)?,
            attempts_left: row.try_get(column::ATTEMPTS_LEFT)?,
            lost: row.try_get(column::LOST)?,
            lease_token: row.try_get(column::LEASE_TOKEN)?,
            created_at: row.try_get(column::CREATED_AT)?,
            metadata: row
                .try_get::<_, Option<Json<Box<RawValue>>>>(column::METADATA)?
                .map(|Json(metadata)| metadata),
        };
        let hold = Arc::new(Hold::new(hold, self.sent_at, self.lease));
        Ok(Work { hold, payload, timeout, entry })
    }
}

/// The columns of `statements::EXCHANGE`, in its order.
pub(crate) mod column {
    pub(crate) const KIND: usize = 0;
    pub(crate) const STATUS: usize = 1;
    pub(crate) const ID: usize = 2;
    pub(crate) const TENANT: usize = 3;
    pub(crate) const TYPE: usize = 4;
    pub(crate) const PAYLOAD: usize = 5;
    pub(crate) const METADATA: usize = 6;
    pub(crate) const ATTEMPT: usize = 7;
    pub(crate) const MAX_ATTEMPTS: usize = 8;
    pub(crate) const ATTEMPTS_LEFT: usize = 9;
    pub(crate) const LOST: usize = 10;
    pub(crate) const TIMEOUT: usize = 11;
    pub(crate) const CREATED_AT: usize = 12;
    pub(crate) const LEASE_TOKEN: usize = 13;
    pub(crate) const NEXT_CURSOR: usize = 14;
    pub(crate) const CANCELLED: usize = 15;
    pub(crate) const SUSPECT_WAITING: usize = 16;
    /// Of `statements::CLAIM_ALONE` only.
    pub(crate) const QUEUE: usize = 14;
}
