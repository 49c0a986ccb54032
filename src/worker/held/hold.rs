//! A job that this worker holds, from its claim until the database has answered its settlement.

use std::{
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, Instant, SystemTime},
};

use serde_json::value::RawValue;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Where a held job stands. It only moves down this list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Stage {
    /// It waits in the buffer.
    Buffered = 0,
    /// Its handler runs.
    Running = 1,
    /// Its settlement is on the way.
    Ended = 2,
    /// The handler's own transaction settled it; whether that committed is the handler's affair.
    Settled = 3,
    /// The database says that another attempt has it: nothing is sent for it any more.
    Lost = 4,
}

/// The key of one attempt of one job in this worker.
pub(crate) type HoldKey = (Uuid, i32);

/// One claimed job without its payload: what is fixed about it, its lease and its stage.
#[derive(Debug)]
pub(crate) struct Hold {
    pub(crate) row: HoldRow,
    /// Taken before the claim was sent, so that by this clock the lease ends earlier than by the
    /// database's.
    pub(crate) claimed_at: Instant,
    pub(crate) cancellation: CancellationToken,
    /// Nanoseconds from `claimed_at` to the end of the lease.
    lease_nanos: AtomicU64,
    stage: AtomicU8,
    /// Nanoseconds that its handler ran; 0 until it has ended.
    ran_nanos: AtomicU64,
    /// Nanoseconds from `claimed_at` to the start of its handler; 0 until it has started.
    began_nanos: AtomicU64,
    /// Nanoseconds of its run that are counted already.
    counted_nanos: AtomicU64,
    /// Whether its handler was told to stop for a reason that is not the job's.
    interrupted: AtomicBool,
}

/// What is fixed about a held job.
#[derive(Debug)]
pub(crate) struct HoldRow {
    pub(crate) id: Uuid,
    pub(crate) tenant: Uuid,
    pub(crate) queue: Arc<str>,
    pub(crate) job_type: Arc<str>,
    pub(crate) attempt: i32,
    pub(crate) max_attempts: i32,
    pub(crate) attempts_left: i32,
    pub(crate) lost: i32,
    pub(crate) lease_token: Uuid,
    pub(crate) created_at: SystemTime,
    pub(crate) metadata: Option<Box<RawValue>>,
}

impl Deref for Hold {
    type Target = HoldRow;

    fn deref(&self) -> &HoldRow {
        &self.row
    }
}

impl Hold {
    pub(crate) fn new(row: HoldRow, claimed_at: Instant, lease: Duration) -> Self {
        Self {
            row,
            claimed_at,
            cancellation: CancellationToken::new(),
            lease_nanos: AtomicU64::new(nanos(lease)),
            stage: AtomicU8::new(Stage::Buffered as u8),
            ran_nanos: AtomicU64::new(0),
            began_nanos: AtomicU64::new(0),
            counted_nanos: AtomicU64::new(0),
            interrupted: AtomicBool::new(false),
        }
    }

    pub(crate) fn key(&self) -> HoldKey {
        (self.id, self.attempt)
    }

    /// When the lease ends, by this machine's monotonic clock and on the safe side.
    pub(crate) fn lease_ends(&self) -> Instant {
        self.claimed_at + Duration::from_nanos(self.lease_nanos.load(SeqCst))
    }

    /// Notes that its handler starts.
    pub(crate) fn begins(&self, at: Instant) {
        let since_claim = nanos(at.saturating_duration_since(self.claimed_at));
        self.began_nanos.store(since_claim.max(1), SeqCst);
    }

    /// How long its handler has run so far; none before it starts and after it has ended.
    pub(crate) fn runs_for(&self, now: Instant) -> Option<Duration> {
        let began = self.began_nanos.load(SeqCst);
        let runs = began > 0 && self.stage() == Stage::Running && self.ran().is_none();
        let began = self.claimed_at + Duration::from_nanos(began);
        runs.then(|| now.saturating_duration_since(began))
    }

    /// What of its run is not counted yet, where it has run for so long: how many jobs, which is 1
    /// for the first time and then 0, and how much time.
    pub(crate) fn uncounted(&self, ran: Duration) -> (u32, Duration) {
        let ran = nanos(ran).max(1);
        let counted = self.counted_nanos.fetch_max(ran, SeqCst);
        (u32::from(counted == 0), Duration::from_nanos(ran.saturating_sub(counted)))
    }

    /// Notes that its handler ended after so long.
    pub(crate) fn has_run(&self, span: Duration) {
        self.ran_nanos.store(nanos(span).max(1), SeqCst);
    }

    /// How long its handler ran; none for one that never ended.
    pub(crate) fn ran(&self) -> Option<Duration> {
        let nanos = self.ran_nanos.load(SeqCst);
        (nanos > 0).then(|| Duration::from_nanos(nanos))
    }

    /// Tells the handler that the job is to be cancelled.
    pub(crate) fn cancel(&self) {
        if !self.cancellation.is_cancelled() {
            let (id, attempt) = (self.id, self.attempt);
            tracing::info!(%id, attempt, "the job is to be cancelled: its handler is told to stop");
            self.cancellation.cancel();
        }
    }

    /// Tells the handler to stop because of the worker or the database, and not because the job is
    /// to be cancelled.
    pub(crate) fn interrupt(&self) {
        // before the cancellation, so that a handler that hears of it is excused already
        self.interrupted.store(true, SeqCst);
        self.cancellation.cancel();
    }

    /// Whether what the handler does now may be sent_claim to [`Hold::interrupt`].
    pub(crate) fn is_interrupted(&self) -> bool {
        self.interrupted.load(SeqCst)
    }

    /// Notes that the heartbeat that was sent at this instant was accepted.
    pub(crate) fn extend(&self, sent_at: Instant, lease: Duration) {
        let ends = sent_at + lease;
        self.lease_nanos.store(nanos(ends.saturating_duration_since(self.claimed_at)), SeqCst);
    }

    pub(crate) fn stage(&self) -> Stage {
        match self.stage.load(SeqCst) {
            0 => Stage::Buffered,
            1 => Stage::Running,
            2 => Stage::Ended,
            3 => Stage::Settled,
            _ => Stage::Lost,
        }
    }

    /// Moves on, never back: a job that was lost stays lost, whatever its handler does afterwards.
    pub(crate) fn advance(&self, stage: Stage) -> Stage {
        let before = self.stage.fetch_max(stage as u8, SeqCst);
        if before > stage as u8 { self.stage() } else { stage }
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A held job for tests of this module's neighbours.
    pub(crate) fn hold(attempt: i32, claimed_at: Instant, lease: Duration) -> Arc<Hold> {
        hold_of(Uuid::now_v7(), attempt, claimed_at, lease)
    }

    /// One attempt of a given job.
    pub(crate) fn hold_of(
        id: Uuid,
        attempt: i32,
        claimed_at: Instant,
        lease: Duration,
    ) -> Arc<Hold> {
        let row = HoldRow {
            id,
            tenant: Uuid::nil(),
            queue: "default".into(),
            job_type: "test".into(),
            attempt,
            max_attempts: 25,
            attempts_left: 25,
            lost: 0,
            lease_token: Uuid::nil(),
            created_at: SystemTime::UNIX_EPOCH,
            metadata: None,
        };
        Arc::new(Hold::new(row, claimed_at, lease))
    }

    #[test]
    fn a_heartbeat_moves_the_end_of_the_lease() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let hold = hold(1, start, 30 * second);
        assert_eq!(hold.lease_ends(), start + 30 * second);
        hold.extend(start + 10 * second, 30 * second);
        assert_eq!(hold.lease_ends(), start + 40 * second);
    }

    #[test]
    fn each_part_of_a_run_is_counted_once() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let hold = hold(1, start, 30 * second);
        assert_eq!(hold.runs_for(start + second), None, "it waits");
        hold.advance(Stage::Running);
        hold.begins(start + second);
        let so_far = hold.runs_for(start + 3 * second).unwrap();
        assert_eq!(so_far, 2 * second);
        assert_eq!(hold.uncounted(so_far), (1, 2 * second));
        hold.has_run(5 * second);
        assert_eq!(hold.runs_for(start + 9 * second), None, "it has ended");
        assert_eq!(hold.uncounted(5 * second), (0, 3 * second));
        assert_eq!(hold.uncounted(4 * second), (0, Duration::ZERO));
    }

    #[test]
    fn a_lost_job_stays_lost() {
        let hold = hold(1, Instant::now(), Duration::from_secs(1));
        assert_eq!(hold.advance(Stage::Running), Stage::Running);
        assert_eq!(hold.advance(Stage::Lost), Stage::Lost);
        assert_eq!(hold.advance(Stage::Ended), Stage::Lost);
        assert_eq!(hold.stage(), Stage::Lost);
    }
}
