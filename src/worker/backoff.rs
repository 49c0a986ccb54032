//! Pauses that grow after every failure, each drawn at random so that a fleet does not come back
//! all at once.

use std::time::Duration;

/// The longest pause while the database is away.
pub(crate) const DATABASE_PAUSE_MAX: Duration = Duration::from_secs(2);

/// Doubles from `first` to `longest`; every pause is between half of that and all of it.
#[derive(Debug)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    pub(crate) fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, failures: 0 }
    }

    /// Pauses for a database that is away: 50 ms to 2 s, so that everything goes on within a few
    /// seconds of its return.
    pub(crate) fn database() -> Self {
        Self::new(Duration::from_millis(50), DATABASE_PAUSE_MAX)
    }

    /// The pause after one more failure.
    pub(crate) fn next(&mut self) -> Duration {
        let pause = self.pause(rand::random());
        self.failures = self.failures.saturating_add(1);
        pause
    }

    /// Starts from the beginning, since it worked.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    fn pause(&self, draw: f64) -> Duration {
        let doubled = self.first.saturating_mul(1 << self.failures.min(20));
        doubled.min(self.longest).mul_f64(0.5 + draw / 2.0)
    }
}

/// Moves a span by up to a tenth either way.
pub(crate) fn jittered(span: Duration) -> Duration {
    span.mul_f64(0.9 + 0.2 * rand::random::<f64>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(1));
        let mut longest_draws = Vec::new();
        for _ in 0..7 {
            longest_draws.push(backoff.pause(1.0).as_millis());
            backoff.next();
        }
        assert_eq!(longest_draws, [50, 100, 200, 400, 800, 1000, 1000]);
        backoff.reset();
        assert_eq!(backoff.pause(0.0).as_millis(), 25);
    }

    #[test]
    fn a_day_of_failures_does_not_overflow() {
        let mut backoff = Backoff::database();
        for _ in 0..100_000 {
            assert!(backoff.next() <= Duration::from_secs(2));
        }
    }

    #[test]
    fn jitter_stays_within_a_tenth() {
        for _ in 0..100 {
            let span = jittered(Duration::from_secs(10));
            assert!((Duration::from_secs(9)..=Duration::from_secs(11)).contains(&span));
        }
    }
}
