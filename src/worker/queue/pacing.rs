//! How much to claim, and when: arithmetic only, one instance a queue.
//!
//! A worker holds what it is running and about 100 ms of work ahead, by the run times it has
//! measured. A longer buffer would undo the turns of the tenants and hoard jobs that another worker
//! could start; a shorter one would leave handlers waiting for a round trip. Claims grow and shrink
//! with what they bring, so that a busy queue of tiny jobs is claimed by the hundreds and a quiet
//! one is asked for no more than a few.
//!
//! They are bounded by what they take, too: all jobs of a claim wait for the trip that brings them,
//! so claims grow only while trips are short and shrink when they are long. What the network takes
//! of every trip does not count, since a smaller claim would not shorten it; nor do claims for idle
//! slots shrink below these. A trip carries about as many settlements as it may claim. A trip that
//! got no answer is tried again with half as much.

use std::time::{Duration, Instant};

use crate::worker::queue::{notify_backoff::NotifyBackoff, poll_pauses::PollPauses};

/// How much work to hold ahead.
const AHEAD: Duration = Duration::from_millis(100);
/// What the payloads of one queue's buffer may take together, judged by their mean.
const BUFFER_BYTES_MAX: f64 = 32.0 * 1024.0 * 1024.0;
/// A claim asks for this much at least when there is room for it; also where growing starts.
const CLAIM_START: usize = 16;
/// Claims grow while trips take less than this.
const TRIP_SHORT: Duration = Duration::from_millis(30);
/// Claims shrink when a trip took longer.
const TRIP_LONG: Duration = Duration::from_millis(60);
/// Over how many values a mean is taken.
const MEAN_OVER: f64 = 32.0;
/// A look that is planned so soon need not be made by what is sent meanwhile.
const PLANNED: Duration = Duration::from_millis(10);
/// A look that is planned so soon is not made sooner by a wake.
const SOON: Duration = Duration::from_millis(1);

/// The fixed part of the arithmetic.
#[derive(Debug, Clone)]
pub(crate) struct Bounds {
    /// How many handlers may run at once.
    pub(crate) concurrency: usize,
    /// The largest claim.
    pub(crate) batch_max: usize,
    /// The lease that claims ask for.
    pub(crate) lease: Duration,
    /// The longest pause between claims of an idle queue while nothing wakes the worker.
    pub(crate) pause_max: Duration,
    /// The longest pause while dispatches wake it.
    pub(crate) woken_pause_max: Duration,
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
    /// How many handlers run.
    pub(crate) running: usize,
    /// How many jobs wait in the buffer.
    pub(crate) buffered: usize,
    /// How many jobs the claims on their way have asked for.
    pub(crate) asked: usize,
    /// How many claims are on their way.
    pub(crate) claims_open: usize,
}

/// The measurements of one queue, and what they say.
#[derive(Debug)]
pub(crate) struct Pacing {
    bounds: Bounds,
    run_seconds: Mean,
    payload_bytes: Mean,
    /// What the next claim asks for at most, apart from free slots.
    claim_size: usize,
    /// What any claim asks for at most: halved by every time-out.
    most: usize,
    /// The shortest trip that a claim took: what the network and the smallest claim need.
    shortest_trip: Duration,
    /// Whether the last claim brought all it asked for.
    flowing: bool,
    poll_pauses: PollPauses,
    not_before: Option<Instant>,
    notify_backoff: NotifyBackoff,
}

impl Pacing {
    pub(crate) fn new(bounds: Bounds) -> Self {
        let claim_size = bounds.batch_max.min(CLAIM_START);
        Self {
            run_seconds: Mean::default(),
            payload_bytes: Mean::default(),
            claim_size,
            most: bounds.batch_max,
            shortest_trip: Duration::MAX,
            flowing: false,
            poll_pauses: PollPauses::new(bounds.pause_max, bounds.woken_pause_max),
            not_before: None,
            notify_backoff: NotifyBackoff::default(),
            bounds,
        }
    }

    /// How long a job may wait in the buffer before the worker gives it back: the handlers turned
    /// out slower than measured.
    pub(crate) fn stale_after(&self) -> Duration {
        Duration::from_secs(1).min(self.bounds.lease / 3)
    }

    /// How many jobs to hold beyond those that run.
    pub(crate) fn ahead(&self) -> usize {
        let Some(mean) = self.run_seconds.get() else { return 0 };
        let window = AHEAD.min(self.bounds.lease / 3).as_secs_f64();
        let by_time = window / mean.max(1e-6) * self.bounds.concurrency as f64;
        floor(by_time).min(self.by_bytes()).min(2 * self.bounds.batch_max)
    }

    /// How many jobs a buffer holds by the size of their payloads; at least one.
    fn by_bytes(&self) -> usize {
        floor(BUFFER_BYTES_MAX / self.payload_bytes.get().unwrap_or(0.0).max(1.0)).max(1)
    }

    /// How many settlements a trip carries when more wait.
    pub(crate) fn trip_size(&self) -> usize {
        self.claim_size
    }

    /// What a claim would ask for now, if there is room for one; when it may be sent is another
    /// question.
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
        let limit = want.min(self.claim_size.max(free)).min(self.most).min(self.by_bytes());
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

    /// Whether no look is planned soon, since dispatches wake the worker: then a trip that settles
    /// may as well claim.
    pub(crate) fn is_waiting_for_wakes(&self, now: Instant) -> bool {
        self.poll_pauses.is_listening() && self.not_before.is_some_and(|at| at > now + PLANNED)
    }

    /// When a claim may be sent, if not now.
    pub(crate) fn not_before(&self) -> Option<Instant> {
        self.not_before
    }

    /// Notes that a handler ran for this long.
    pub(crate) fn ran(&mut self, took: Duration) {
        self.run_seconds.note(took.as_secs_f64());
    }

    /// Notes that buffered jobs had to be given back: the means were far off, so they start again
    /// from here.
    pub(crate) fn stalled(&mut self) {
        self.run_seconds = Mean { value: self.stale_after().as_secs_f64(), seen: 1.0 };
        self.claim_size = self.bounds.batch_max.min(CLAIM_START);
    }

    /// Notes that a claim is sent.
    pub(crate) fn sent(&mut self) {
        self.notify_backoff.sent();
    }

    /// Notes that a claim came back after so long.
    pub(crate) fn claimed(
        &mut self,
        limit: usize,
        payload_sizes: &[usize],
        took: Duration,
        now: Instant,
    ) {
        let got = payload_sizes.len();
        for &bytes in payload_sizes {
            self.payload_bytes.note(bytes as f64);
        }
        self.shortest_trip = self.shortest_trip.min(took);
        self.most = (self.most * 2).min(self.bounds.batch_max);
        if got > 0 {
            self.notify_backoff.found();
        } else {
            self.notify_backoff.missed(now);
        }
        self.flowing = got >= limit;
        if self.flowing {
            self.resize(limit, took.saturating_sub(self.shortest_trip));
            self.poll_pauses.found_all(got, now);
            self.not_before = None;
            return;
        }
        // twice what came is enough when the rest did not come: a larger limit costs the walk over
        // lanes that are empty
        self.claim_size =
            (2 * got).max(CLAIM_START).min(self.claim_size).min(self.bounds.batch_max);
        // where wakes come densely and in vain, polls are as rare as looks that follow a wake
        let pause = if got > 0 {
            self.poll_pauses.found_some(got, took, now)
        } else {
            self.poll_pauses.found_nothing(took, now).max(self.notify_backoff.distance())
        };
        self.not_before = Some(now + pause.mul_f64(0.75 + rand::random::<f64>() / 4.0));
        if self.notify_backoff.heard() {
            self.follow_wake(now);
        }
    }

    /// Grows or shrinks claims after one that brought all it asked for.
    fn resize(&mut self, limit: usize, took: Duration) {
        if took < TRIP_SHORT {
            self.claim_size = (self.claim_size.max(limit) * 2).min(self.bounds.batch_max);
        } else if took > TRIP_LONG {
            self.claim_size = (self.claim_size / 2).max(CLAIM_START).min(self.bounds.batch_max);
        }
    }

    /// Notes that a claim was not answered: perhaps it asked for more than can be sent.
    pub(crate) fn unanswered(&mut self, limit: usize) {
        self.most = (limit / 2).max(1);
    }

    /// Notes that an application dispatched.
    pub(crate) fn woken(&mut self, now: Instant) {
        self.notify_backoff.hear();
        self.follow_wake(now);
    }

    /// Notes whether dispatches wake this worker.
    pub(crate) fn listen(&mut self, listening: bool) {
        self.poll_pauses.listen(listening);
        self.not_before = None;
    }

    /// Notes that so many wakes came that some may have been left out.
    pub(crate) fn crowded(&mut self, now: Instant) {
        self.poll_pauses.crowded(now);
    }

    /// How long the worker will be idle when a claim finds nothing and no dispatch wakes it.
    pub(crate) fn idle_for(&self) -> Duration {
        self.poll_pauses.idle_for()
    }

    /// Plans the next look by a wake, never later than planned. Since a notification may stand for
    /// several jobs, the pauses of polls begin again.
    fn follow_wake(&mut self, now: Instant) {
        self.poll_pauses.begin_again(self.notify_backoff.distance());
        if self.not_before.is_some_and(|at| at > now + SOON) {
            self.not_before =
                self.not_before.and_then(|at| Some(at.min(self.notify_backoff.not_before()?)));
        }
    }
}

/// Rounds a value down that is neither negative nor beyond a million.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
fn floor(value: f64) -> usize {
    value.clamp(0.0, 1e6) as usize
}

#[cfg(test)]
mod tests;
