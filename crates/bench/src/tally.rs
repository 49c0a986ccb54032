//! What happened to jobs, counted by the workers that run them.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::claimer::Claimed;
use crate::pacer::{Commit, began, micros};
use crate::spread::Samples;

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

    /// These jobs are claimed and start; answers how many bear the time of their dispatch.
    pub(crate) fn started(&self, claimed: &[Claimed]) -> u64 {
        let stamped = claimed.iter().filter_map(|job| began(&job.payload));
        stamped.map(|began| self.waited_since(began)).count() as u64
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
    pub(crate) fn waits(&self) -> Samples {
        let wait = |(began, start): (u64, u64)| start.saturating_sub(began) as f64 / 1e3;
        Samples::of(self.starts().into_iter().map(wait).collect())
    }

    /// From the return of each commit to the start of its handler, in milliseconds; and how many of
    /// them started. One that did not has waited until now. A worker can be quicker than the
    /// answer's way back to the dispatcher.
    pub(crate) fn since_commit(&self, commits: &[Commit]) -> (Samples, usize) {
        let (now, starts) = (micros(), self.starts().into_iter().collect::<HashMap<_, _>>());
        let wait = |commit: &Commit| {
            let until = starts.get(&commit.job).copied().unwrap_or(now);
            until.saturating_sub(commit.at) as f64 / 1e3
        };
        let started = commits.iter().filter(|commit| starts.contains_key(&commit.job)).count();
        (Samples::of(commits.iter().map(wait).collect()), started)
    }

    /// The microseconds at which dispatches began, each with the one at which the handler started.
    fn starts(&self) -> Vec<(u64, u64)> {
        self.starts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
