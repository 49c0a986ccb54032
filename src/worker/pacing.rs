//! How much to claim, and when: arithmetic only, one instance a queue.
//!
//! A worker holds what it is running and about 100 ms of work ahead, by the run times it has measured. A longer buffer
//! would undo the turns of the tenants and hoard jobs that another worker could start; a shorter one would leave handlers
//! waiting for a round trip. Claims grow and shrink with what they bring, so that a busy queue of tiny jobs is claimed by
//! the hundreds and a quiet one is asked for no more than a few.

use std::time::{Duration, Instant};

/// How much work to hold ahead.
const AHEAD: Duration = Duration::from_millis(100);
/// What the payloads of one queue's buffer may take together, judged by their mean.
const BUFFER_BYTES_MAX: f64 = 32.0 * 1024.0 * 1024.0;
/// A claim asks for this much at least when there is room for it; also where growing starts.
const CLAIM_START: usize = 16;
/// Over how many values a mean is taken.
const MEAN_OVER: f64 = 32.0;
/// The pause after the first claim of a row that brought nothing.
const PAUSE_FIRST: Duration = Duration::from_millis(2);

/// The fixed part of the arithmetic.
#[derive(Debug, Clone)]
pub(crate) struct Bounds {
    /// How many handlers may run at once.
    pub(crate) concurrency: usize,
    /// The largest claim.
    pub(crate) batch_max: usize,
    /// The lease that claims ask for.
    pub(crate) lease: Duration,
    /// The longest pause between claims of an idle queue.
    pub(crate) pause_max: Duration,
}

/// A mean of the latest values; the first ones count in full.
#[derive(Debug, Default)]
struct Mean {
    value: f64,
    seen: f64,
}

impl Mean {
    fn note(&mut self, value: f64) {
        self.seen = (self.seen + 1.0).min(MEAN_OVER);
        self.value += (value - self.value) / self.seen;
    }

    fn get(&self) -> Option<f64> {
        (self.seen > 0.0).then_some(self.value)
    }
}

/// What a queue holds at this moment.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Load {
    /// Handlers that run.
    pub(crate) running: usize,
    /// Jobs that wait in the buffer.
    pub(crate) buffered: usize,
    /// What the claims on their way have asked for.
    pub(crate) asked: usize,
    /// How many claims are on their way.
    pub(crate) claims_open: usize,
}

#[derive(Debug)]
pub(crate) struct Pacing {
    bounds: Bounds,
    run_seconds: Mean,
    payload_bytes: Mean,
    /// What the next claim asks for at most, apart from free slots.
    claim_size: usize,
    /// Whether the last claim brought all it asked for.
    flowing: bool,
    pause: Duration,
    not_before: Option<Instant>,
}

impl Pacing {
    pub(crate) fn new(bounds: Bounds) -> Self {
        let claim_size = bounds.batch_max.min(CLAIM_START);
        Self {
            bounds,
            run_seconds: Mean::default(),
            payload_bytes: Mean::default(),
            claim_size,
            flowing: false,
            pause: Duration::ZERO,
            not_before: None,
        }
    }

    /// How long a job may wait in the buffer before the worker gives it back: the handlers turned out slower than measured.
    pub(crate) fn stale_after(&self) -> Duration {
        Duration::from_secs(1).min(self.bounds.lease / 3)
    }

    /// How many jobs to hold beyond those that run.
    pub(crate) fn ahead(&self) -> usize {
        let Some(mean) = self.run_seconds.get() else { return 0 };
        let window = AHEAD.min(self.bounds.lease / 3).as_secs_f64();
        let by_time = window / mean.max(1e-6) * self.bounds.concurrency as f64;
        let by_bytes = BUFFER_BYTES_MAX / self.payload_bytes.get().unwrap_or(0.0).max(1.0);
        floor(by_time.min(by_bytes)).min(2 * self.bounds.batch_max)
    }

    /// What a claim would ask for now, if there is room for one; when it may be sent is another question.
    pub(crate) fn room(&self, load: Load) -> Option<usize> {
        if load.claims_open >= if self.flowing { 2 } else { 1 } {
            return None;
        }
        let ahead = self.ahead();
        let waiting = load.buffered + load.asked;
        let free = self.bounds.concurrency.saturating_sub(load.running + waiting);
        if free == 0 && (ahead == 0 || waiting > ahead / 2) {
            return None;
        }
        let want = (self.bounds.concurrency + ahead).saturating_sub(load.running + waiting);
        let limit = want.min(self.claim_size.max(free)).min(self.bounds.batch_max);
        (limit > 0).then_some(limit)
    }

    /// Whether a claim may be sent now.
    pub(crate) fn may_claim(&self, now: Instant) -> bool {
        self.not_before.is_none_or(|at| at <= now)
    }

    /// Whether one may be sent within this time, though not now.
    pub(crate) fn may_claim_within(&self, now: Instant, span: Duration) -> bool {
        self.not_before.is_some_and(|at| at > now && at <= now + span)
    }

    /// When a claim may be sent, if not now.
    pub(crate) fn not_before(&self) -> Option<Instant> {
        self.not_before
    }

    /// A handler ran for this long.
    pub(crate) fn ran(&mut self, took: Duration) {
        self.run_seconds.note(took.as_secs_f64());
    }

    /// Buffered jobs had to be given back: the means were far off, so they start again from here.
    pub(crate) fn stalled(&mut self) {
        self.run_seconds = Mean { value: self.stale_after().as_secs_f64(), seen: 1.0 };
        self.claim_size = self.bounds.batch_max.min(CLAIM_START);
    }

    /// A claim came back.
    pub(crate) fn claimed(&mut self, limit: usize, payload_sizes: &[usize], now: Instant) {
        let got = payload_sizes.len();
        for &bytes in payload_sizes {
            self.payload_bytes.note(bytes as f64);
        }
        self.flowing = got >= limit;
        if self.flowing {
            self.claim_size = (self.claim_size.max(limit) * 2).min(self.bounds.batch_max);
            self.pause = Duration::ZERO;
            self.not_before = None;
            return;
        }
        // Half of it is enough when the rest did not come: a larger limit costs the walk over lanes that are empty.
        self.claim_size =
            (2 * got).max(CLAIM_START).min(self.claim_size).min(self.bounds.batch_max);
        self.pause = if got > 0 || self.pause.is_zero() { PAUSE_FIRST } else { self.pause * 2 };
        self.pause = self.pause.min(self.bounds.pause_max);
        self.not_before = Some(now + self.pause.mul_f64(0.75 + rand::random::<f64>() / 4.0));
    }

    /// Somebody dispatched.
    pub(crate) fn woken(&mut self) {
        self.pause = Duration::ZERO;
        self.not_before = None;
    }
}

/// Of a value that is neither negative nor beyond a million.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
fn floor(value: f64) -> usize {
    value.clamp(0.0, 1e6) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pacing(concurrency: usize) -> Pacing {
        let second = Duration::from_secs(1);
        Pacing::new(Bounds { concurrency, batch_max: 500, lease: 30 * second, pause_max: second })
    }

    fn after_runs(concurrency: usize, took: Duration) -> Pacing {
        let mut pacing = pacing(concurrency);
        for _ in 0..50 {
            pacing.ran(took);
        }
        pacing
    }

    #[test]
    fn without_a_measurement_a_claim_fills_the_free_slots() {
        assert_eq!(pacing(10).room(Load::default()), Some(10));
        assert_eq!(pacing(10).room(Load { running: 7, ..Load::default() }), Some(3));
        assert_eq!(pacing(10).room(Load { running: 10, ..Load::default() }), None);
        assert_eq!(pacing(1000).room(Load::default()), Some(500));
    }

    #[test]
    fn a_buffer_is_100_ms_of_work() {
        let check = |concurrency, millis, ahead| {
            assert_eq!(after_runs(concurrency, Duration::from_millis(millis)).ahead(), ahead);
        };
        check(10, 5, 200);
        check(10, 100, 10);
        check(10, 1000, 1);
        check(1, 1000, 0);
        check(4, 60_000, 0);
        check(10, 0, 1000); // two claims of the largest size
    }

    #[test]
    fn large_payloads_shorten_the_buffer() {
        let mut pacing = after_runs(100, Duration::from_micros(10));
        pacing.claimed(50, &[1 << 20; 50], Instant::now());
        assert_eq!(pacing.ahead(), 32);
    }

    #[test]
    fn it_claims_again_when_half_of_the_buffer_is_used() {
        let pacing = after_runs(10, Duration::from_millis(5)); // 200 ahead
        let room = |buffered| pacing.room(Load { running: 10, buffered, ..Load::default() });
        assert_eq!(room(101), None);
        assert_eq!(room(100), Some(16));
        assert_eq!(
            pacing.room(Load { running: 10, asked: 16, claims_open: 1, ..Load::default() }),
            None
        );
    }

    #[test]
    fn full_claims_grow_and_others_shrink() {
        let mut pacing = after_runs(10, Duration::from_micros(2));
        let mut limits = Vec::new();
        for _ in 0..7 {
            let limit = pacing.room(Load::default()).unwrap();
            pacing.claimed(limit, &vec![10; limit], Instant::now());
            limits.push(limit);
        }
        assert_eq!(limits, [16, 32, 64, 128, 256, 500, 500]);
        pacing.claimed(500, &[10; 40], Instant::now());
        assert_eq!(pacing.room(Load::default()), Some(80));
        pacing.claimed(80, &[], Instant::now());
        assert_eq!(pacing.room(Load::default()), Some(16));
    }

    #[test]
    fn under_load_two_claims_are_on_their_way() {
        let mut pacing = after_runs(10, Duration::from_micros(2));
        let one_open = Load { asked: 16, claims_open: 1, ..Load::default() };
        assert_eq!(pacing.room(one_open), None);
        pacing.claimed(16, &[10; 16], Instant::now());
        assert_eq!(pacing.room(one_open), Some(32));
        assert_eq!(pacing.room(Load { claims_open: 2, asked: 48, ..Load::default() }), None);
    }

    #[test]
    fn pauses_of_an_idle_queue_grow_to_the_longest_and_a_wake_ends_them() {
        let (mut pacing, now) = (pacing(10), Instant::now());
        let mut longest = Duration::ZERO;
        for _ in 0..12 {
            pacing.claimed(10, &[], now);
            let pause = pacing.not_before().unwrap() - now;
            assert!(pause <= Duration::from_secs(1));
            longest = longest.max(pause);
        }
        assert!(longest >= Duration::from_millis(750));
        assert!(!pacing.may_claim(now));
        pacing.woken();
        assert!(pacing.may_claim(now));
        pacing.claimed(10, &[], now);
        assert!(pacing.not_before().unwrap() - now <= PAUSE_FIRST);
    }

    #[test]
    fn a_claim_that_brought_less_than_it_asked_for_is_followed_by_a_short_pause() {
        let (mut pacing, now) = (pacing(10), Instant::now());
        for _ in 0..5 {
            pacing.claimed(10, &[], now);
        }
        pacing.claimed(10, &[5, 5], now);
        assert!(!pacing.may_claim(now) && pacing.may_claim_within(now, PAUSE_FIRST));
        pacing.claimed(10, &[5; 10], now);
        assert!(pacing.may_claim(now));
    }

    #[test]
    fn a_stall_forgets_what_was_measured() {
        let mut pacing = after_runs(10, Duration::from_micros(1));
        assert_eq!(pacing.ahead(), 1000);
        pacing.stalled();
        assert_eq!(pacing.ahead(), 1);
    }
}
