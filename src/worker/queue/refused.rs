//! Finds the settlement that the database refuses, and keeps it apart from the others: arithmetic
//! only, one instance a queue.
//!
//! A trigger or a constraint of an administrator may refuse one job's settlement, and its error
//! ends the whole call. So what was refused together is halved, and each half is tried by itself,
//! beside the other calls of the queue; about two calls for each halving find the one at fault. It
//! is tried again, with pauses that grow, for as long as the worker holds its job: the
//! administrator may remove what refuses it.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use crate::worker::{
    backoff::{Backoff, jittered},
    held::{hold::HoldKey, settlement::Settlement},
    queue::order::{Failure, Order},
};

/// The pause after a refusal before the next part is tried, so that a database that refuses
/// everything is not asked without a rest. It doubles with every further refusal in a row.
const NEXT_FIRST: Duration = Duration::from_millis(2);
const NEXT_MAX: Duration = Duration::from_millis(50);
/// The pause of a settlement that was refused alone; it doubles with every repetition, and stays
/// shorter than the time that a worker has to settle when it shuts down.
const ALONE_FIRST: Duration = Duration::from_secs(1);
pub(crate) const ALONE_MAX: Duration = Duration::from_secs(8);
/// With so many settlements kept apart, the queue claims nothing more.
const KEPT_MAX: usize = 1_000;

/// What was refused, in parts that travel alone, by when each is due.
#[derive(Debug)]
pub(super) struct Refused {
    /// The settlements of each part, and how often the only one of them was refused.
    parts: BTreeMap<(Instant, HoldKey), (Vec<Settlement>, u32)>,
    /// How many settlements there are in all parts.
    kept: usize,
    /// When the next part may be tried, whichever it is.
    not_before: Option<Instant>,
    pauses: Backoff,
}

impl Refused {
    pub(super) fn new() -> Self {
        let pauses = Backoff::new(NEXT_FIRST, NEXT_MAX);
        Self { parts: BTreeMap::new(), kept: 0, not_before: None, pauses }
    }

    /// Takes what was refused, or not answered on its own way. Its halves are due at once, a single
    /// settlement later, and what never got there as it is.
    pub(super) fn take(&mut self, order: Order, failure: Failure, now: Instant) {
        let (mut settlements, refusals) = (order.settlements, order.refusals.unwrap_or(0));
        if failure == Failure::Call {
            return self.keep(settlements, refusals, now);
        }
        self.not_before = Some(now + self.pauses.next());
        if settlements.len() > 1 {
            let half = settlements.split_off(settlements.len() / 2);
            self.keep(settlements, 0, now);
            self.keep(half, 0, now);
        } else {
            let pause = ALONE_FIRST.saturating_mul(1 << refusals.min(20)).min(ALONE_MAX);
            self.keep(settlements, refusals.saturating_add(1), now + jittered(pause));
        }
    }

    fn keep(&mut self, settlements: Vec<Settlement>, refusals: u32, due: Instant) {
        if let Some(first) = settlements.first() {
            self.kept += settlements.len();
            self.parts.insert((due, first.hold.key()), (settlements, refusals));
        }
    }

    /// Notes that a part was accepted.
    pub(super) fn accepted(&mut self) {
        self.pauses.reset();
        self.not_before = None;
    }

    /// The part that is to be tried now. No claim travels with it, since it may fail again.
    pub(super) fn next(&mut self, now: Instant) -> Option<Order> {
        self.next_due().filter(|&due| due <= now)?;
        let (_, (settlements, refusals)) = self.parts.pop_first()?;
        self.kept -= settlements.len();
        let refusals = Some(refusals);
        Some(Order { settlements, refusals, limit: 0, cursor: None, idle_for: Duration::ZERO })
    }

    /// When the next part is to be tried.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let ((due, _), _) = self.parts.first_key_value()?;
        Some(self.not_before.map_or(*due, |not_before| not_before.max(*due)))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Whether so many are kept that the queue should claim nothing.
    pub(super) fn is_full(&self) -> bool {
        self.kept >= KEPT_MAX
    }
}

#[cfg(test)]
mod tests;
