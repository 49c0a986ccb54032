//! What happened to jobs, counted by the workers that run them.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::pacer::micros;

/// Counts of one run.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    flood_ever: AtomicU64,
    completed: AtomicU64,
    starts: Mutex<Vec<(u64, u64)>>,
}

impl Tally {
    /// A handler starts a job whose dispatch began at this microsecond of the process.
    pub(crate) fn waited_since(&self, began: u64) {
        let now = micros();
        // a push cannot leave the list half-changed
        self.starts.lock().unwrap_or_else(PoisonError::into_inner).push((began, now));
    }

    /// Jobs are completed: of the flood, and of the small tenants.
    pub(crate) fn completed_some(&self, flood: u64, small: u64) {
        self.flood_ever.fetch_add(flood, Ordering::Relaxed);
        self.completed.fetch_add(flood + small, Ordering::Relaxed);
    }

    /// Forgets everything but how much of the flood is gone.
    pub(crate) fn start_anew(&self) {
        self.completed.store(0, Ordering::Relaxed);
        self.starts.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(crate) fn flood_ever(&self) -> u64 {
        self.flood_ever.load(Ordering::Relaxed)
    }

    pub(crate) fn completed(&self) -> u64 {
        self.completed.load(Ordering::Relaxed)
    }

    /// From the begin of each dispatch to its handler's start, in milliseconds.
    pub(crate) fn waits(&self) -> Vec<f64> {
        let starts = self.starts();
        starts.iter().map(|&(began, start)| start.saturating_sub(began) as f64 / 1e3).collect()
    }

    /// The microseconds at which dispatches began, each with the one at which the handler started.
    pub(crate) fn starts(&self) -> Vec<(u64, u64)> {
        self.starts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
