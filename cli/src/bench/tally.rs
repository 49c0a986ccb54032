//! What happened to jobs, counted by whoever runs them.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

use super::pacer::{began, micros};

/// Counts of one run. Jobs of the flood and those of paced tenants tell apart by their payloads.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    flood_ever: AtomicU64,
    completed: AtomicU64,
    waits: Mutex<Vec<f64>>,
    claims: Mutex<Vec<f64>>,
}

impl Tally {
    /// A handler starts: notes how long the job waited, if it says when it was dispatched.
    pub(crate) fn started(&self, payload: &Value) {
        if let Some(began) = began(payload) {
            let wait = micros().saturating_sub(began) as f64 / 1e3;
            lock(&self.waits).push(wait);
        }
    }

    /// Jobs are completed; `flood` of them were the flood's.
    pub(crate) fn completed_some(&self, flood: u64, small: u64) {
        self.flood_ever.fetch_add(flood, Ordering::Relaxed);
        self.completed.fetch_add(flood + small, Ordering::Relaxed);
    }

    /// A claim gave this many jobs.
    pub(crate) fn claimed(&self, jobs: usize) {
        if jobs > 0 {
            lock(&self.claims).push(jobs as f64);
        }
    }

    /// Forgets everything but how much of the flood is gone.
    pub(crate) fn start_anew(&self) {
        self.completed.store(0, Ordering::Relaxed);
        lock(&self.waits).clear();
        lock(&self.claims).clear();
    }

    pub(crate) fn flood_ever(&self) -> u64 {
        self.flood_ever.load(Ordering::Relaxed)
    }

    pub(crate) fn completed(&self) -> u64 {
        self.completed.load(Ordering::Relaxed)
    }

    pub(crate) fn waits(&self) -> Vec<f64> {
        lock(&self.waits).clone()
    }

    pub(crate) fn claim_sizes(&self) -> Vec<f64> {
        lock(&self.claims).clone()
    }
}

fn lock(values: &Mutex<Vec<f64>>) -> std::sync::MutexGuard<'_, Vec<f64>> {
    // a push or a clone cannot leave a list half-changed
    values.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
