//! One queue as this worker serves it: what waits, what runs, what has ended and is not settled yet.
//!
//! Slots (tasks that run handlers) and exchangers (tasks that talk to the database) meet here, under one short lock that a
//! slot takes once a job. A slot lives as long as there is work, so there are never more of them than the concurrency.

mod curb;
mod state;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use self::state::{State, Waiting};
use super::{
    claimed::Work,
    pacing::Bounds,
    settlement::{Ending, Settlement},
};

#[derive(Debug)]
pub(crate) struct Subscription {
    pub(crate) queue: Arc<str>,
    pub(crate) concurrency: usize,
    state: Mutex<State>,
    /// Told when an exchanger may have something to do.
    pub(crate) changed: Notify,
}

/// How an attempt ended, for the slot to hand in.
#[derive(Debug)]
pub(crate) struct Ended {
    /// None when there is nothing to tell the database.
    pub(crate) settlement: Option<Settlement>,
    pub(crate) took: Duration,
}

/// What an exchanger should do now.
#[derive(Debug)]
pub(crate) enum Step {
    Send(Order),
    /// Until something changes, or this instant.
    Wait(Option<Instant>),
    /// Closed, and everything is settled.
    Done,
}

/// One round trip: settlements, a claim, or both.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) settlements: Vec<Settlement>,
    /// 0 for no claim.
    pub(crate) limit: usize,
    pub(crate) cursor: Option<String>,
    /// How long the queue will be idle when the claim finds nothing, unless it is woken.
    pub(crate) idle_for: Duration,
}

/// Why an order was not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The call as such: it is repeated as it was.
    Call,
    /// There was no answer, perhaps because it is too much at once, or the server says so: half of it is sent next.
    Unanswered,
}

impl Subscription {
    pub(crate) fn new(queue: Arc<str>, bounds: Bounds) -> Self {
        let concurrency = bounds.concurrency;
        let state = Mutex::new(State::new(bounds));
        Self { queue, concurrency, state, changed: Notify::new() }
    }

    /// A slot hands in how its job ended and takes the next. Without a next one the slot is over.
    pub(crate) fn next(&self, ended: Option<Ended>, now: Instant) -> Option<Work> {
        let mut state = self.lock();
        if let Some(ended) = ended {
            state.pacing.ran(ended.took);
            let settlement = ended.settlement;
            if settlement
                .as_ref()
                .is_none_or(|settlement| !matches!(settlement.ending, Ending::Release))
            {
                state.curb.through(self.concurrency);
            }
            if let Some(settlement) = settlement {
                state.post(settlement, now);
            }
        }
        let next = state.pop(now);
        if next.is_none() {
            state.load.running -= 1;
        }
        let due = state.is_due(now, next.is_none());
        drop(state);
        if due {
            self.changed.notify_one();
        }
        next
    }

    /// Something runs outside of the slots, until [`Self::leave`].
    pub(crate) fn enter(&self) {
        self.lock().load.running += 1;
    }

    /// A slot ended without handing in: it was stopped, or it panicked outside of the handler.
    pub(crate) fn leave(&self, settlement: Option<Settlement>) {
        let mut state = self.lock();
        state.load.running -= 1;
        if let Some(settlement) = settlement {
            state.post(settlement, Instant::now());
        }
        drop(state);
        self.changed.notify_one();
    }

    /// What to do now. Whoever gets an order must hand it to [`Self::answered`] or [`Self::failed`].
    pub(crate) fn step(&self, now: Instant) -> Step {
        let mut state = self.lock();
        let step = state.step(now);
        let more =
            matches!(step, Step::Done) || matches!(step, Step::Send(_)) && state.is_due(now, false);
        drop(state);
        if more {
            self.changed.notify_one();
        }
        step
    }

    /// An order was answered after so long: its settlements are done, and this is what it claimed. Returns how many slots to
    /// start.
    pub(crate) fn answered(
        &self,
        order: &Order,
        works: Vec<Work>,
        cursor: Option<String>,
        took: Duration,
        now: Instant,
    ) -> usize {
        let mut state = self.lock();
        state.settling -= order.settlements.len();
        if !order.settlements.is_empty() {
            state.narrowed =
                state.narrowed.map(|size| size * 2).filter(|&size| size < state.batch_max);
        }
        if order.limit > 0 {
            state.claim_back(order, cursor.or_else(|| order.cursor.clone()));
            let sizes: Vec<usize> = works.iter().map(|work| work.payload.get().len()).collect();
            state.pacing.claimed(order.limit, &sizes, took, now);
        }
        if state.closing || state.paused {
            for work in works {
                state.post(Settlement::release(work.hold), now);
            }
        } else {
            state.buffer.extend(works.into_iter().map(|work| Waiting { work, since: now }));
        }
        let start = self.concurrency.saturating_sub(state.load.running).min(state.buffer.len());
        state.load.running += start;
        drop(state);
        self.changed.notify_one();
        start
    }

    /// An order failed: its settlements go back to where they were.
    pub(crate) fn failed(&self, order: Order, failure: Failure) {
        let mut state = self.lock();
        state.settling -= order.settlements.len();
        if order.limit > 0 {
            state.claim_back(&order, order.cursor.clone());
        }
        if failure == Failure::Unanswered && order.limit > 0 {
            state.pacing.unanswered(order.limit);
        }
        if failure != Failure::Call && !order.settlements.is_empty() {
            state.narrowed = Some((order.settlements.len() / 2).max(1));
        }
        for settlement in order.settlements.into_iter().rev() {
            state.outbox.push_front(settlement);
        }
        state.waiting_since =
            state.waiting_since.or_else(|| (!state.outbox.is_empty()).then(Instant::now));
        drop(state);
        self.changed.notify_one();
    }

    /// Somebody dispatched.
    pub(crate) fn wake(&self) {
        self.lock().pacing.woken(Instant::now());
        self.changed.notify_one();
    }

    /// Whether dispatches wake this worker from now on; it looks at once, since nobody knows what it missed.
    pub(crate) fn listen(&self, listening: bool) {
        self.lock().pacing.listen(listening);
        self.changed.notify_one();
    }

    /// So many wakes came that some may have been left out.
    pub(crate) fn crowded(&self) {
        self.lock().pacing.crowded(Instant::now());
    }

    /// No claims from now on; what is buffered still runs.
    pub(crate) fn close(&self) {
        self.lock().closing = true;
        self.changed.notify_one();
    }

    /// Gives back whatever has not started.
    pub(crate) fn release_buffered(&self) {
        let mut state = self.lock();
        while let Some(Waiting { work, .. }) = state.buffer.pop_front() {
            state.post(Settlement::release(work.hold), Instant::now());
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Nothing starts and nothing is claimed until [`Self::resume`]; what has not started is given back.
    pub(crate) fn pause(&self) {
        self.lock().paused = true;
        self.release_buffered();
    }

    /// Ends a pause.
    pub(crate) fn resume(&self) {
        self.lock().paused = false;
        self.changed.notify_one();
    }

    /// No claims until [`Self::unmute`]; what an order has of one is taken back.
    pub(crate) fn mute(&self, order: &mut Order) {
        let mut state = self.lock();
        state.curb.muted = true;
        if order.limit > 0 {
            let cursor = order.cursor.take();
            state.claim_back(order, cursor);
            order.limit = 0;
        }
    }

    /// No claims until [`Self::unmute`], since the worker goes to sleep.
    pub(crate) fn hush(&self) {
        self.lock().curb.muted = true;
    }

    /// Claims go on.
    pub(crate) fn unmute(&self) {
        self.lock().curb.muted = false;
        self.changed.notify_one();
    }

    /// A handler could not work for want of the worker's own means: claims pause and get smaller, and what has not started is given
    /// back. Whether that is to be said.
    pub(crate) fn short_of_means(&self, now: Instant) -> bool {
        let mut state = self.lock();
        let beside = state.load.running.saturating_sub(1);
        let say = state.curb.short(beside, now);
        drop(state);
        self.release_buffered();
        say
    }

    /// Whether nothing is on its way to or from the database and nothing runs.
    pub(crate) fn is_still(&self) -> bool {
        let state = self.lock();
        state.load.claims_open == 0 && state.is_settled()
    }

    /// Whether a claim is on its way.
    pub(crate) fn is_claiming(&self) -> bool {
        self.lock().load.claims_open > 0
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
