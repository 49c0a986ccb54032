//! When to follow a notification: arithmetic only, one instance a queue.
//!
//! A notification, which wakes the worker, says that an application dispatched, not for which
//! queue. An idle fleet that claimed at every one of them would slow the dispatchers down; so a
//! claim that followed a wake and found nothing keeps the next wake waiting, each time twice as
//! long. Only claims that follow wakes count: polls have pauses of their own. Where claims find
//! jobs, wakes are followed at once.

use std::time::{Duration, Instant};

/// The distance after the first useless wake, which is the pause before the next poll anyway.
const FIRST: Duration = Duration::from_millis(2);
const LONGEST: Duration = Duration::from_millis(200);

/// How the wakes of one queue are followed.
#[derive(Debug, Default)]
pub(crate) struct NotifyBackoff {
    /// Whether a wake came since the last claim was sent.
    heard: bool,
    /// Whether a claim that is on its way followed a wake.
    followed: bool,
    /// How many claims in a row followed a wake and found nothing.
    useless: u32,
    /// The earliest time at which a claim follows a wake.
    not_before: Option<Instant>,
}

impl NotifyBackoff {
    /// Notes a wake.
    pub(crate) fn hear(&mut self) {
        self.heard = true;
    }

    /// Whether a wake came that no claim has followed yet.
    pub(crate) fn heard(&self) -> bool {
        self.heard
    }

    /// Notes that a claim was sent.
    pub(crate) fn sent(&mut self) {
        self.followed |= std::mem::take(&mut self.heard);
    }

    /// Notes that a claim found something.
    pub(crate) fn found(&mut self) {
        *self = Self { heard: self.heard, ..Self::default() };
    }

    /// Notes that a claim found nothing.
    pub(crate) fn missed(&mut self, now: Instant) {
        if std::mem::take(&mut self.followed) {
            self.useless = self.useless.saturating_add(1);
            // drawn at random, so that a fleet does not follow the next one all at once
            let distance = self.distance().mul_f64(0.75 + rand::random::<f64>() / 4.0);
            self.not_before = Some(now + distance);
        }
    }

    /// How long a wake may have to wait now.
    pub(crate) fn distance(&self) -> Duration {
        match self.useless {
            0 => Duration::ZERO,
            useless => FIRST.saturating_mul(1 << (useless - 1).min(10)).min(LONGEST),
        }
    }

    /// When a claim may follow a wake; none for at once.
    pub(crate) fn not_before(&self) -> Option<Instant> {
        self.not_before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hears a wake and follows it in vain. Returns how long the next one waits.
    fn useless(backoff: &mut NotifyBackoff, now: Instant) -> Duration {
        backoff.hear();
        backoff.sent();
        backoff.missed(now);
        backoff.not_before().map_or(Duration::ZERO, |at| at - now)
    }

    #[test]
    fn the_distance_between_useless_wakes_grows_to_the_longest() {
        let (mut backoff, now) = (NotifyBackoff::default(), Instant::now());
        let mut longest = Vec::new();
        for _ in 0..40 {
            let distance = useless(&mut backoff, now);
            assert!(distance <= backoff.distance() && distance >= backoff.distance().mul_f64(0.75));
            longest.push(backoff.distance().as_millis());
        }
        assert_eq!(longest[..9], [2, 4, 8, 16, 32, 64, 128, 200, 200]);
        assert_eq!(longest[39], 200);
    }

    #[test]
    fn polls_that_find_nothing_keep_no_wake_waiting() {
        let (mut backoff, now) = (NotifyBackoff::default(), Instant::now());
        for _ in 0..10 {
            backoff.sent();
            backoff.missed(now);
        }
        assert_eq!((backoff.not_before(), backoff.distance()), (None, Duration::ZERO));
    }

    #[test]
    fn a_find_ends_the_distance_and_forgets_no_wake() {
        let (mut backoff, now) = (NotifyBackoff::default(), Instant::now());
        for _ in 0..5 {
            useless(&mut backoff, now);
        }
        backoff.sent();
        backoff.hear();
        backoff.found();
        assert_eq!((backoff.not_before(), backoff.heard()), (None, true));
    }
}
