//! One queue as this worker serves it: what waits, what runs, what has ended and is not settled yet.
//!
//! Slots (tasks that run handlers) and exchangers (tasks that talk to the database) meet here, under one short lock that a
//! slot takes once a job. A slot lives as long as there is work, so there are never more of them than the concurrency.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use super::{
    claimed::Work,
    hold::Stage,
    pacing::{Bounds, Load, Pacing},
    settlement::Settlement,
};

/// How long a settlement may wait for company.
const SETTLE_AFTER: Duration = Duration::from_millis(3);

#[derive(Debug)]
pub(crate) struct Subscription {
    pub(crate) queue: Arc<str>,
    pub(crate) concurrency: usize,
    state: Mutex<State>,
    /// Told when an exchanger may have something to do.
    pub(crate) changed: Notify,
}

#[derive(Debug)]
pub(crate) struct State {
    pacing: Pacing,
    load: Load,
    buffer: VecDeque<Work>,
    outbox: VecDeque<Settlement>,
    /// Since when the oldest settlement waits.
    waiting_since: Option<Instant>,
    /// Settlements on their way.
    settling: usize,
    batch_max: usize,
    /// Places in the round of the tenants; a claim takes one along and brings it back.
    cursors: Vec<String>,
    /// No claims any more.
    closing: bool,
    /// A job that is suspected of killing workers wants to be alone.
    paused: bool,
    /// A batch was refused: send so many at a time until the bad one is found.
    narrowed: Option<usize>,
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
}

impl Subscription {
    pub(crate) fn new(queue: Arc<str>, bounds: Bounds) -> Self {
        let (concurrency, batch_max) = (bounds.concurrency, bounds.batch_max);
        let state = State {
            pacing: Pacing::new(bounds),
            load: Load::default(),
            buffer: VecDeque::new(),
            outbox: VecDeque::new(),
            waiting_since: None,
            settling: 0,
            batch_max,
            cursors: Vec::new(),
            closing: false,
            paused: false,
            narrowed: None,
        };
        Self { queue, concurrency, state: Mutex::new(state), changed: Notify::new() }
    }

    /// A slot hands in how its job ended and takes the next. Without a next one the slot is over.
    pub(crate) fn next(&self, ended: Option<Ended>, now: Instant) -> Option<Work> {
        let mut state = self.lock();
        if let Some(ended) = ended {
            state.pacing.ran(ended.took);
            if let Some(settlement) = ended.settlement {
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

    /// A settlement from outside of the slots.
    pub(crate) fn post(&self, settlement: Settlement) {
        self.lock().post(settlement, Instant::now());
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

    /// An order was answered: its settlements are done, and this is what it claimed. Returns how many slots to start.
    pub(crate) fn answered(
        &self,
        order: &Order,
        works: Vec<Work>,
        cursor: Option<String>,
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
            state.pacing.claimed(order.limit, &sizes, now);
        }
        if state.closing || state.paused {
            for work in works {
                state.post(Settlement::release(work.hold), now);
            }
        } else {
            state.buffer.extend(works);
        }
        let start = self.concurrency.saturating_sub(state.load.running).min(state.buffer.len());
        state.load.running += start;
        drop(state);
        self.changed.notify_one();
        start
    }

    /// An order failed: its settlements go back to where they were.
    /// With `narrow`, one of them is bad: they are sent in smaller batches until it is found.
    pub(crate) fn failed(&self, order: Order, narrow: bool) {
        let mut state = self.lock();
        state.settling -= order.settlements.len();
        if order.limit > 0 {
            state.claim_back(&order, order.cursor.clone());
        }
        if narrow {
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
        self.lock().pacing.woken();
        self.changed.notify_one();
    }

    /// No claims from now on; what is buffered still runs.
    pub(crate) fn close(&self) {
        self.lock().closing = true;
        self.changed.notify_one();
    }

    /// Gives back whatever has not started.
    pub(crate) fn release_buffered(&self) {
        let mut state = self.lock();
        while let Some(work) = state.buffer.pop_front() {
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

impl State {
    fn post(&mut self, settlement: Settlement, now: Instant) {
        if settlement.hold.advance(Stage::Ended) != Stage::Lost {
            self.waiting_since.get_or_insert(now);
            self.outbox.push_back(settlement);
        }
    }

    /// The next job whose lease still holds. One whose lease is over by our clock is given back: if the lease holds after
    /// all, that is accepted, else it changes nothing.
    fn pop(&mut self, now: Instant) -> Option<Work> {
        if self.paused {
            return None;
        }
        while let Some(work) = self.buffer.pop_front() {
            if work.hold.stage() == Stage::Lost {
                continue;
            }
            if work.hold.lease_ends() > now {
                work.hold.advance(Stage::Running);
                return Some(work);
            }
            self.post(Settlement::release(work.hold), now);
        }
        None
    }

    fn load(&self) -> Load {
        Load { buffered: self.buffer.len(), ..self.load }
    }

    fn is_settled(&self) -> bool {
        self.load.running == 0
            && self.buffer.is_empty()
            && self.outbox.is_empty()
            && self.settling == 0
    }

    /// How much a claim should ask for now. Claims wait while settlements pile up, and do not travel with a batch that may
    /// be refused.
    fn claim_due(&self, now: Instant) -> Option<usize> {
        let behind = self.outbox.len() + self.settling > 4 * self.batch_max;
        if self.closing
            || self.paused
            || behind
            || self.narrowed.is_some() && !self.outbox.is_empty()
        {
            return None;
        }
        self.pacing.room(self.load()).filter(|_| self.pacing.may_claim(now))
    }

    /// Whether it is time to settle: the batch is large, or old, or nothing else will end soon. A claim that is about to be
    /// sent takes the settlements along.
    fn settle_due(&self, now: Instant) -> bool {
        let quiet = self.load.running == 0 && self.buffer.is_empty();
        let idle = quiet && !self.pacing.may_claim_within(now, SETTLE_AFTER);
        !self.outbox.is_empty()
            && (idle
                || self.closing
                || self.paused
                || self.narrowed.is_some()
                || self.outbox.len() >= self.batch_max
                || self.waiting_since.is_some_and(|since| since + SETTLE_AFTER <= now))
    }

    /// Whether an exchanger should look: something is due, or (after a slot's change) a timer has to be set.
    fn is_due(&self, now: Instant, freed: bool) -> bool {
        let fresh = self.waiting_since == Some(now);
        fresh || freed || self.settle_due(now) || self.claim_due(now).is_some()
    }

    fn step(&mut self, now: Instant) -> Step {
        self.give_stale_back(now);
        let settle = self.settle_due(now);
        let limit = self.claim_due(now).unwrap_or(0);
        if settle || limit > 0 {
            return Step::Send(self.order(limit, now));
        }
        if self.closing && self.load.claims_open == 0 && self.is_settled() {
            return Step::Done;
        }
        Step::Wait(self.next_due())
    }

    fn order(&mut self, limit: usize, now: Instant) -> Order {
        let count = self.outbox.len().min(self.narrowed.unwrap_or(self.batch_max));
        let settlements: Vec<Settlement> = self.outbox.drain(..count).collect();
        self.waiting_since = (!self.outbox.is_empty()).then_some(now);
        self.settling += settlements.len();
        let mut cursor = None;
        if limit > 0 {
            cursor = self.cursors.pop();
            self.load.asked += limit;
            self.load.claims_open += 1;
        }
        Order { settlements, limit, cursor }
    }

    fn claim_back(&mut self, order: &Order, cursor: Option<String>) {
        self.load.asked -= order.limit;
        self.load.claims_open -= 1;
        self.cursors.extend(cursor);
    }

    /// Jobs that wait for far longer than planned sit behind handlers that turned out slow; somebody else may be free.
    fn give_stale_back(&mut self, now: Instant) {
        let stale_after = self.pacing.stale_after();
        let mut any = false;
        while self.buffer.front().is_some_and(|work| work.hold.claimed_at + stale_after <= now) {
            let Some(work) = self.buffer.pop_front() else { break };
            self.post(Settlement::release(work.hold), now);
            any = true;
        }
        if any {
            self.pacing.stalled();
        }
    }

    /// When something will be due by the passing of time alone.
    fn next_due(&self) -> Option<Instant> {
        let settle = self.waiting_since.map(|since| since + SETTLE_AFTER);
        let may_claim = !self.closing && !self.paused && self.pacing.room(self.load()).is_some();
        let claim = self.pacing.not_before().filter(|_| may_claim);
        let stale =
            self.buffer.front().map(|work| work.hold.claimed_at + self.pacing.stale_after());
        [settle, claim, stale].into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests;
