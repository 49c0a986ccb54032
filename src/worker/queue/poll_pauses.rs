//! When a queue whose claim came back empty, or not full, looks again: arithmetic only, one
//! instance a queue.
//!
//! A worker that nothing wakes polls, with pauses that double up to the longest.
//!
//! One that listens says with each claim how long it would be idle, and then every dispatch wakes
//! it; so it waits for that, and looks by itself only to be safe. What could be missed is the
//! dispatch that looked before the worker had said so, and commits later: so the pauses are as long
//! as the worker has been known to wait, from 2 ms on. A transaction of five seconds delays its
//! jobs by five seconds more at most. The same holds from each moment on when wakes came so densely
//! that some may have been left out.
//!
//! Where jobs arrive so fast that the next one is due before a wake could be heard, it looks again
//! after the measured distance between two of them.

use std::time::{Duration, Instant};

/// The shortest pause after a claim that did not bring all it asked for.
pub(crate) const PAUSE_FIRST: Duration = Duration::from_millis(2);
/// Where jobs are at most this far apart, they are not waited for one by one.
const DENSE: Duration = Duration::from_millis(4);
/// Over how many finds the distance of arrivals is taken.
const GAP_OVER: f64 = 8.0;
/// What a worker says beyond its longest pause: the time of a claim, and the steps in which the
/// database notes it.
const SLACK: f64 = 1.25;

/// The pauses between the looks of one queue.
#[derive(Debug)]
pub(super) struct PollPauses {
    /// The longest pause while nothing wakes.
    polled_max: Duration,
    /// The longest pause while dispatches wake.
    woken_max: Duration,
    listening: bool,
    /// The last of a series of pauses that grow.
    pause: Duration,
    /// Since when, and until when, dispatches know that this worker waits.
    known_since: Option<Instant>,
    known_until: Option<Instant>,
    /// The mean distance of two jobs, and when the last one was found.
    gap: Option<Duration>,
    found_at: Option<Instant>,
}

impl PollPauses {
    pub(super) fn new(polled_max: Duration, woken_max: Duration) -> Self {
        Self {
            polled_max,
            woken_max,
            listening: false,
            pause: Duration::ZERO,
            known_since: None,
            known_until: None,
            gap: None,
            found_at: None,
        }
    }

    /// Notes whether dispatches can wake this worker from now on.
    pub(super) fn listen(&mut self, listening: bool) {
        self.listening = listening;
        self.known_until = None;
    }

    pub(super) fn is_listening(&self) -> bool {
        self.listening
    }

    /// Begins the series of pauses again with this one, if it is shorter.
    pub(super) fn begin_again(&mut self, pause: Duration) {
        self.pause = self.pause.min(pause);
    }

    /// Notes that some wakes may have been left out.
    pub(super) fn crowded(&mut self, now: Instant) {
        self.known_since = self.known_since.map(|_| now);
    }

    /// How long a claim should say that the worker will be idle when it finds nothing; zero where
    /// nothing wakes it.
    pub(super) fn idle_for(&self) -> Duration {
        if self.listening { self.woken_max.mul_f64(SLACK) + PAUSE_FIRST } else { Duration::ZERO }
    }

    /// Notes a claim that brought all it asked for.
    pub(super) fn found_all(&mut self, got: usize, now: Instant) {
        self.found(got, now);
        self.pause = Duration::ZERO;
    }

    /// Notes a claim that brought some of what it asked for. Answers how long to wait with the next
    /// one.
    pub(super) fn found_some(&mut self, got: usize, took: Duration, now: Instant) -> Duration {
        self.found(got, now);
        self.pause = PAUSE_FIRST.min(self.longest());
        if self.is_dense(now) && self.listening { self.dense_pause(took) } else { self.pause }
    }

    /// Notes a claim that found nothing. Answers how long to wait with the next one.
    pub(super) fn found_nothing(&mut self, took: Duration, now: Instant) -> Duration {
        if !self.listening {
            self.pause = (self.pause * 2).clamp(PAUSE_FIRST, self.polled_max.max(PAUSE_FIRST));
            return self.pause.min(self.polled_max);
        }
        if self.known_until.is_none_or(|until| until < now) {
            self.known_since = Some(now);
        }
        // the database notes it in steps of a twentieth
        self.known_until = Some(now + self.idle_for().mul_f64(0.9));
        if self.is_dense(now) {
            return self.dense_pause(took).max(Duration::from_millis(1));
        }
        let known = self.known_since.map_or(Duration::ZERO, |since| now - since);
        known.clamp(PAUSE_FIRST.min(self.woken_max), self.woken_max)
    }

    /// The longest pause as things are.
    fn longest(&self) -> Duration {
        if self.listening { self.woken_max } else { self.polled_max }
    }

    fn found(&mut self, got: usize, now: Instant) {
        let since = self.found_at.replace(now).map(|at| now.saturating_duration_since(at));
        let Some(since) = since else { return };
        let each = since.div_f64(got.max(1) as f64).min(Duration::from_secs(1));
        self.gap = Some(match self.gap {
            Some(gap) => gap.mul_f64(1.0 - 1.0 / GAP_OVER) + each.div_f64(GAP_OVER),
            None => each,
        });
    }

    /// Whether the next job is due before a wake could be heard. When none came for a while, it is
    /// not.
    fn is_dense(&self, now: Instant) -> bool {
        self.gap.is_some_and(|gap| gap <= DENSE)
            && self.found_at.is_some_and(|at| now.saturating_duration_since(at) <= 2 * DENSE)
    }

    /// The pause between two dense arrivals; none where a claim takes longer, which is the pause
    /// then.
    fn dense_pause(&self, took: Duration) -> Duration {
        self.gap.map_or(PAUSE_FIRST, |gap| gap.saturating_sub(took)).min(PAUSE_FIRST)
    }
}

#[cfg(test)]
mod tests;
