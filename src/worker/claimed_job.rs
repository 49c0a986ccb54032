//! Reads the rows of a claim as jobs that handlers can run.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::value::RawValue;
use tokio_postgres::{Row, types::Json};

use crate::{
    error::Result,
    worker::{
        held::hold::{Hold, HoldRow},
        registry::{Entry, Registry},
    },
};

/// A claimed job that waits for a free slot.
#[derive(Debug)]
pub(crate) struct ClaimedJob {
    pub(crate) hold: Arc<Hold>,
    pub(crate) payload: Box<RawValue>,
    pub(crate) timeout: Option<Duration>,
    /// The handler; none for a type that has none, for which claims never ask.
    pub(crate) entry: Option<Arc<Entry>>,
}

/// The claim to which a row belongs.
pub(crate) struct ClaimOf<'a> {
    pub(crate) registry: &'a Registry,
    pub(crate) queue: &'a Arc<str>,
    pub(crate) sent_at: Instant,
    pub(crate) lease: Duration,
}

impl ClaimOf<'_> {
    /// Reads one row, by position: looking every name up would cost more than all the rest.
    pub(crate) fn job(&self, row: &Row) -> Result<ClaimedJob> {
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
        Ok(ClaimedJob { hold, payload, timeout, entry })
    }
}

/// The columns of `statements::SETTLE_AND_CLAIM`, in its order.
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
    /// The last column of `statements::CLAIM_ALONE`, which has the others in the same order.
    pub(crate) const QUEUE: usize = 14;
}
