//! The settings of a worker, and the spans of time that follow from them.

use std::{sync::Arc, time::Duration};

/// The longest pause of a worker that nothing wakes.
const POLLED_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause of a worker that dispatches wake.
const WOKEN_PAUSE: Duration = Duration::from_secs(90);
/// The longest pause of a drain: a worker that ends when its queues are empty should notice soon.
const DRAIN_PAUSE: Duration = Duration::from_millis(50);

/// Validated settings of a worker.
#[allow(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) worker_id: Arc<str>,
    pub(crate) lease: Duration,
    pub(crate) grace: Duration,
    pub(crate) stop_within: Duration,
    pub(crate) poll_interval: Option<Duration>,
    pub(crate) batch_max: usize,
    pub(crate) connections: usize,
    pub(crate) attempt_timeout: Option<Duration>,
    pub(crate) listen: bool,
    pub(crate) maintain: bool,
    pub(crate) drain: bool,
    pub(crate) sleep_after: Option<Duration>,
    /// Whether the log shows the causes of a handler's error beside its message.
    pub(crate) log_causes: bool,
}

/// The name of this machine, of printable characters.
pub(crate) fn host() -> String {
    let host = ["/proc/sys/kernel/hostname", "/etc/hostname"]
        .iter()
        .find_map(|file| std::fs::read_to_string(file).ok());
    let host = host.or_else(|| std::env::var("HOSTNAME").ok()).unwrap_or_default();
    let host: String =
        host.trim().chars().filter(|character| !character.is_control()).take(64).collect();
    if host.is_empty() { "worker".to_owned() } else { host }
}

impl Settings {
    /// The longest pause between claims of an idle queue while nothing wakes the worker.
    pub(crate) fn polled_pause(&self) -> Duration {
        self.pause(POLLED_PAUSE)
    }

    /// The longest pause between claims of an idle queue while dispatches wake the worker.
    pub(crate) fn woken_pause(&self) -> Duration {
        self.pause(WOKEN_PAUSE)
    }

    fn pause(&self, usual: Duration) -> Duration {
        let longest = self.poll_interval.unwrap_or(usual);
        if self.drain { longest.min(DRAIN_PAUSE) } else { longest }
    }

    /// How long a call may take before its connection is given up: about a lease, since what is
    /// claimed later than that is lost, but not half a day for long leases.
    pub(crate) fn call_patience(&self) -> Duration {
        self.lease.clamp(Duration::from_secs(10), Duration::from_secs(60))
    }

    /// How long a call on the heartbeat's connection may take: it is small, and a lost connection
    /// must be noticed while there is time for another one.
    pub(crate) fn heartbeat_patience(&self) -> Duration {
        (self.lease / 4).clamp(Duration::from_secs(1), Duration::from_secs(15))
    }

    /// The number of the connection that heartbeats use: the first after those of the claims.
    pub(crate) fn heartbeat_seat(&self) -> usize {
        self.connections
    }

    /// The number of the connection that maintenance uses.
    pub(crate) fn maintenance_seat(&self) -> usize {
        self.connections + 1
    }

    /// How many connections there are at most, beside the one that listens. Two of them are no
    /// claims' connections, so that a heartbeat waits neither for a large batch nor for
    /// maintenance.
    pub(crate) fn seats(&self) -> usize {
        self.connections + 2
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const LEASE: Duration = Duration::from_secs(30);

    /// Settings of a worker that neither listens nor maintains.
    pub(crate) fn settings() -> Settings {
        Settings {
            worker_id: "test".into(),
            lease: LEASE,
            grace: Duration::ZERO,
            stop_within: Duration::ZERO,
            poll_interval: None,
            batch_max: 500,
            connections: 1,
            attempt_timeout: None,
            listen: false,
            maintain: false,
            drain: false,
            sleep_after: None,
            log_causes: true,
        }
    }

    fn with_lease(seconds: u64) -> Settings {
        Settings { lease: Duration::from_secs(seconds), ..settings() }
    }

    #[test]
    fn a_call_may_take_about_a_lease_but_neither_seconds_nor_hours() {
        let patience = |seconds| with_lease(seconds).call_patience().as_secs();
        assert_eq!([1, 30, 86_400].map(patience), [10, 30, 60]);
    }

    #[test]
    fn a_heartbeat_waits_neither_for_ever_nor_not_at_all() {
        let patience = |seconds| with_lease(seconds).heartbeat_patience().as_secs();
        assert_eq!([1, 40, 86_400].map(patience), [1, 10, 15]);
    }
}
