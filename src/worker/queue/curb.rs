//! Holds the claims of a queue back beside its pacing: no heartbeat could be sent, or the worker is
//! short of its own means.
//!
//! How many jobs may be held is found by trying: after a shortage no more than what ran beside it,
//! then one more for every round of jobs that came through. Where nothing fits at all, pauses grow.

use std::time::{Duration, Instant};

use crate::worker::{backoff::Backoff, queue::pacing::Load};

const PAUSE_FIRST: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// How often the log mentions a shortage at most.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// What holds the claims of one queue back.
#[derive(Debug)]
pub(super) struct Curb {
    /// Whether nothing may be claimed: the connection of the heartbeat is not there, or the worker
    /// is about to sleep.
    pub(super) muted: bool,
    /// How many jobs are held at most.
    most: Option<usize>,
    /// How many jobs came through since that changed.
    through: usize,
    until: Option<Instant>,
    logged: Option<Instant>,
    pauses: Backoff,
}

impl Curb {
    pub(super) fn new() -> Self {
        let pauses = Backoff::new(PAUSE_FIRST, PAUSE_MAX);
        Self { muted: false, most: None, through: 0, until: None, logged: None, pauses }
    }

    /// Notes that a handler could not work for want of means, while so many others ran. Answers
    /// whether the log should say so: now and then, however many jobs it hits. One episode has one
    /// pause.
    pub(super) fn short(&mut self, beside: usize, now: Instant) -> bool {
        self.most = Some(self.most.unwrap_or(beside).min(beside).max(1));
        self.through = 0;
        if self.may_claim(now) {
            self.until = Some(now + self.pauses.next());
        }
        let log = self.logged.is_none_or(|said| said + LOG_EVERY <= now);
        if log {
            self.logged = Some(now);
        }
        log
    }

    /// Notes that a job came through.
    pub(super) fn through(&mut self, concurrency: usize) {
        let Some(most) = self.most else { return };
        self.pauses.reset();
        self.through += 1;
        if self.through >= most {
            self.through = 0;
            self.most = Some(most + 1).filter(|&most| most < concurrency);
        }
    }

    /// What is left of a claim of this size; when it may be sent is another question.
    pub(super) fn room(&self, limit: usize, load: Load) -> Option<usize> {
        if self.muted {
            return None;
        }
        let Some(most) = self.most else { return Some(limit) };
        let held = load.running + load.buffered + load.asked;
        Some(limit.min(most.saturating_sub(held))).filter(|&limit| limit > 0)
    }

    /// When a claim may be sent, if there was a shortage.
    pub(super) fn not_before(&self) -> Option<Instant> {
        self.until
    }

    pub(super) fn may_claim(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| until <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_shortage_no_more_is_claimed_than_what_ran_beside_it_and_then_a_little_more() {
        let (mut curb, now) = (Curb::new(), Instant::now());
        assert_eq!(curb.room(50, Load::default()), Some(50));
        let said = (12..50).rev().filter(|&beside| curb.short(beside, now)).count();
        assert_eq!(said, 1, "once");
        assert!(curb.short(12, now + LOG_EVERY));
        let mut curb = Curb::new();
        for beside in (12..50).rev() {
            curb.short(beside, now);
        }
        assert_eq!(curb.room(50, Load::default()), Some(12));
        assert_eq!(curb.room(50, Load { running: 12, ..Load::default() }), None);
        assert!(!curb.may_claim(now) && curb.may_claim(now + PAUSE_FIRST), "one pause for all");
        for _ in 0..12 {
            curb.through(14);
        }
        assert_eq!(curb.room(50, Load::default()), Some(13));
        for _ in 0..13 {
            curb.through(14);
        }
        assert_eq!(curb.room(50, Load::default()), Some(50), "as many as it may have");
    }

    #[test]
    fn where_nothing_fits_pauses_grow_and_one_job_at_a_time_is_tried() {
        let (mut curb, mut now) = (Curb::new(), Instant::now());
        let mut pauses = Vec::new();
        for _ in 0..12 {
            curb.short(0, now);
            let until = curb.not_before().unwrap();
            pauses.push(until - now);
            now = until;
            assert_eq!(curb.room(50, Load::default()), Some(1));
        }
        assert!(pauses[0] <= PAUSE_FIRST && pauses[11] >= PAUSE_MAX / 2, "{pauses:?}");
    }

    #[test]
    fn without_a_heartbeat_nothing_is_claimed() {
        let mut curb = Curb::new();
        curb.muted = true;
        assert_eq!(curb.room(1, Load::default()), None);
    }
}
