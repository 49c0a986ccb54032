//! What the program knows of a queue.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use uuid::Uuid;

use super::limits::Limits;
use crate::calls::tenant;

pub(super) const TENANTS: usize = 5;
pub(super) const QUEUES: [&str; 3] = ["alpha", "beta", "gamma"];
pub(super) const TYPES: [&str; 3] = ["mail", "report", "sync"];
pub(super) const WORKERS: [&str; 2] = ["anna", "ben"];

/// One second, as the times are counted.
pub(super) const SECOND: i64 = 1_000_000;

/// Where a job is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Place {
    Waiting,
    /// The length of a pause is drawn by the database; once it is seen, both are the same.
    Scheduled {
        from: i64,
        to: i64,
    },
    Running {
        token: Uuid,
        worker: String,
        expires: i64,
        cancel_requested: bool,
    },
    Finished(Fact),
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fact {
    pub(super) status: &'static str,
    pub(super) at: i64,
    pub(super) worker: Option<String>,
    pub(super) result: Option<Value>,
    pub(super) error: Option<Value>,
}

/// What the history keeps of an attempt.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Past {
    pub(super) at: i64,
    pub(super) worker: Option<String>,
    pub(super) error: Option<Value>,
}

#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) tenant: Uuid,
    pub(super) queue: &'static str,
    pub(super) job_type: &'static str,
    pub(super) priority: i32,
    pub(super) max_attempts: i32,
    pub(super) payload: Value,
    pub(super) created: i64,
    pub(super) attempts: i32,
    pub(super) left: i32,
    pub(super) lost: i32,
    pub(super) place: Place,
    pub(super) history: BTreeMap<i32, Past>,
}

impl Known {
    pub(super) fn status(&self) -> &'static str {
        match &self.place {
            Place::Waiting => "pending",
            Place::Scheduled { .. } => "scheduled",
            Place::Running { .. } => "processing",
            Place::Finished(fact) => fact.status,
        }
    }
}

/// What is needed to settle an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lease {
    pub(super) id: Uuid,
    pub(super) attempt: i32,
    pub(super) token: Uuid,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Model {
    pub(super) now: i64,
    pub(super) jobs: BTreeMap<Uuid, Known>,
    /// All that were ever given, in order.
    pub(super) leases: Vec<Lease>,
    pub(super) limits: Limits,
    pub(super) paused: BTreeSet<&'static str>,
    /// When a tick last looked for expired leases.
    pub(super) reaped_at: Option<i64>,
    /// How many jobs there ever were.
    pub(super) dispatched: usize,
}

impl Model {
    /// The n-th tenant.
    pub(super) fn tenant(n: usize) -> Uuid {
        tenant(n as u128)
    }

    /// The leases that are held now.
    pub(super) fn held(&self) -> Vec<Lease> {
        self.leases.iter().copied().filter(|lease| self.holds(*lease)).collect()
    }

    /// Whether this lease is held now.
    pub(super) fn holds(&self, lease: Lease) -> bool {
        self.jobs.get(&lease.id).is_some_and(|job| {
            job.attempts == lease.attempt
                && matches!(job.place, Place::Running { token, .. } if token == lease.token)
        })
    }
}
