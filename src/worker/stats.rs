//! Counts what a worker has done.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use tokio::sync::Notify;

/// How many classes there are of the sizes of claims, by powers of two: 0, 1, 2–3, 4–7, …
/// 512–1,000.
pub const CLAIM_SIZE_CLASSES: usize = 11;

/// What a worker has done since it started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerReport {
    /// Jobs claimed, each once an attempt.
    pub claimed: u64,
    /// Settled as completed, those that a handler settled in its own transaction among them.
    pub completed: u64,
    /// Failed for good.
    pub failed: u64,
    /// Failed, to be tried again.
    pub retried: u64,
    /// Put off by their handler.
    pub snoozed: u64,
    /// Cancelled by their handler, or on request while they ran.
    pub cancelled: u64,
    /// Given back unfinished.
    pub released: u64,
    /// Whose lease was lost, so that another worker has them.
    pub lost: u64,
    /// Attempts that ran out of time.
    pub timed_out: u64,
    /// Attempts that panicked.
    pub panicked: u64,
    /// Handlers that were told to stop because no heartbeat got through for long.
    pub interrupted: u64,
    /// Attempts that gave their job back because this worker was short of its own means.
    pub short_of_means: u64,
    /// Given back for the second time or more, and put off for that.
    pub put_off: u64,
    /// Claims sent and answered.
    pub claims: u64,
    /// Calls that settled something.
    pub settlements: u64,
    /// Calls that failed and were repeated.
    pub call_failures: u64,
    /// Claims by how many jobs they brought: class 0 for none, class n for 2ⁿ⁻¹ to 2ⁿ − 1.
    pub claim_sizes: [u64; CLAIM_SIZE_CLASSES],
}

/// Reads a running worker's counters, and ends its sleep. Cheap to clone.
#[derive(Debug, Clone)]
pub struct WorkerHandle {
    pub(crate) stats: Arc<Stats>,
    pub(crate) woken: Arc<Notify>,
}

impl WorkerHandle {
    /// The counters at this moment.
    pub fn report(&self) -> WorkerReport {
        self.stats.report()
    }

    /// Ends the sleep of [`WorkerBuilder::sleep_after`](super::WorkerBuilder::sleep_after), or the
    /// next one if it is awake: it connects and looks for jobs. Call it after a dispatch has
    /// committed.
    pub fn wake(&self) {
        self.woken.notify_one();
    }
}

#[derive(Debug, Default)]
pub(crate) struct Stats {
    pub(crate) claimed: AtomicU64,
    pub(crate) completed: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) retried: AtomicU64,
    pub(crate) snoozed: AtomicU64,
    pub(crate) cancelled: AtomicU64,
    pub(crate) released: AtomicU64,
    pub(crate) lost: AtomicU64,
    pub(crate) timed_out: AtomicU64,
    pub(crate) panicked: AtomicU64,
    pub(crate) interrupted: AtomicU64,
    pub(crate) short_of_means: AtomicU64,
    pub(crate) put_off: AtomicU64,
    pub(crate) claims: AtomicU64,
    pub(crate) settlements: AtomicU64,
    pub(crate) call_failures: AtomicU64,
    claim_sizes: [AtomicU64; CLAIM_SIZE_CLASSES],
}

impl Stats {
    pub(crate) fn claim(&self, got: usize) {
        add(&self.claims, 1);
        add(&self.claimed, got);
        add(&self.claim_sizes[size_class(got)], 1);
    }

    pub(crate) fn report(&self) -> WorkerReport {
        let read = |counter: &AtomicU64| counter.load(Relaxed);
        WorkerReport {
            claimed: read(&self.claimed),
            completed: read(&self.completed),
            failed: read(&self.failed),
            retried: read(&self.retried),
            snoozed: read(&self.snoozed),
            cancelled: read(&self.cancelled),
            released: read(&self.released),
            lost: read(&self.lost),
            timed_out: read(&self.timed_out),
            panicked: read(&self.panicked),
            interrupted: read(&self.interrupted),
            short_of_means: read(&self.short_of_means),
            put_off: read(&self.put_off),
            claims: read(&self.claims),
            settlements: read(&self.settlements),
            call_failures: read(&self.call_failures),
            claim_sizes: std::array::from_fn(|class| read(&self.claim_sizes[class])),
        }
    }
}

pub(crate) fn add(counter: &AtomicU64, count: usize) {
    counter.fetch_add(count as u64, Relaxed);
}

fn size_class(jobs: usize) -> usize {
    ((usize::BITS - jobs.leading_zeros()) as usize).min(CLAIM_SIZE_CLASSES - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_counted_by_powers_of_two() {
        let classes = [0, 1, 2, 3, 4, 7, 8, 500, 512, 1000].map(size_class);
        assert_eq!(classes, [0, 1, 2, 2, 3, 3, 4, 9, 10, 10]);
    }

    #[test]
    fn a_report_sums_up() {
        let stats = Stats::default();
        stats.claim(0);
        stats.claim(5);
        let report = stats.report();
        assert_eq!(
            (report.claims, report.claimed, report.claim_sizes[0], report.claim_sizes[3]),
            (2, 5, 1, 1)
        );
    }
}
