//! One queue as this worker serves it: what waits, what runs, what has ended and is not settled
//! yet.
//!
//! Slots (tasks that run handlers, `tasks/execute.rs`) and the tasks that sync the queue with the
//! database (`tasks/sync_queue.rs`) meet here, under one short lock that a slot takes once a job. A
//! slot lives as long as there is work, so there are never more of them than the concurrency.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use crate::worker::{
    claimed_job::ClaimedJob,
    held::settlement::{Ending, Settlement},
    queue::{
        order::{Ended, Failure, Order, Step},
        pacing::Bounds,
        queue_state::{QueueState, Waiting},
    },
};

/// One queue of the worker, with its lock.
#[derive(Debug)]
pub(crate) struct Subscription {
    pub(crate) queue: Arc<str>,
    pub(crate) concurrency: usize,
    state: Mutex<QueueState>,
    /// Notified when a task that syncs the queue may have something to do.
    pub(crate) changed: Notify,
}

impl Subscription {
    pub(crate) fn new(queue: Arc<str>, bounds: Bounds) -> Self {
        let concurrency = bounds.concurrency;
        let state = Mutex::new(QueueState::new(bounds));
        Self { queue, concurrency, state, changed: Notify::new() }
    }

    /// Takes how a slot's job ended and gives the slot its next one. Without a next one the slot is
    /// over.
    pub(crate) fn next(&self, ended: Option<Ended>, now: Instant) -> Option<ClaimedJob> {
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

    /// Counts a job that runs outside of the slots, until [`Self::leave`].
    pub(crate) fn enter(&self) {
        self.lock().load.running += 1;
    }

    /// Ends a slot that hands in nothing more: it was stopped, it panicked outside of the handler,
    /// or its job ran alone.
    pub(crate) fn leave(&self, settlement: Option<Settlement>) {
        let mut state = self.lock();
        state.load.running -= 1;
        if let Some(settlement) = settlement {
            state.post(settlement, Instant::now());
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Says what to do now. The caller must hand an order to [`Self::answered`] or
    /// [`Self::failed`].
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

    /// Takes the answer to an order, after so long: its settlements are done, and these jobs it
    /// claimed. Returns how many slots to start.
    pub(crate) fn answered(
        &self,
        order: &Order,
        jobs: Vec<ClaimedJob>,
        cursor: Option<String>,
        took: Duration,
        now: Instant,
    ) -> usize {
        let mut state = self.lock();
        state.settling -= order.settlements.len();
        if order.refusals.is_some() {
            state.refused.accepted();
        }
        if !order.settlements.is_empty() {
            state.narrowed =
                state.narrowed.map(|size| size * 2).filter(|&size| size < state.batch_max);
        }
        if order.limit > 0 {
            state.claim_back(order, cursor.or_else(|| order.cursor.clone()));
            let sizes: Vec<usize> = jobs.iter().map(|job| job.payload.get().len()).collect();
            state.pacing.claimed(order.limit, &sizes, took, now);
        }
        if state.closing || state.paused {
            for job in jobs {
                state.post(Settlement::release(job.hold), now);
            }
        } else {
            state.buffer.extend(jobs.into_iter().map(|job| Waiting { job, since: now }));
        }
        let start = self.concurrency.saturating_sub(state.load.running).min(state.buffer.len());
        state.load.running += start;
        drop(state);
        self.changed.notify_one();
        start
    }

    /// Takes back an order that failed: its settlements go to where they were, or apart from the
    /// others where one of them was refused.
    pub(crate) fn failed(&self, order: Order, failure: Failure, now: Instant) {
        let mut state = self.lock();
        state.settling -= order.settlements.len();
        if order.limit > 0 {
            state.claim_back(&order, order.cursor.clone());
        }
        if failure == Failure::Unanswered && order.limit > 0 {
            state.pacing.unanswered(order.limit);
        }
        if order.refusals.is_some() || failure == Failure::Refused {
            state.refused.take(order, failure, now);
        } else {
            if failure == Failure::Unanswered && !order.settlements.is_empty() {
                state.narrowed = Some((order.settlements.len() / 2).max(1));
            }
            for settlement in order.settlements.into_iter().rev() {
                state.outbox.push_front(settlement);
            }
            state.waiting_since = state.waiting_since.or((!state.outbox.is_empty()).then_some(now));
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Notes that an application dispatched.
    pub(crate) fn wake(&self) {
        self.lock().pacing.woken(Instant::now());
        self.changed.notify_one();
    }

    /// Notes whether dispatches wake this worker from now on. It looks at once, since it may have
    /// missed some.
    pub(crate) fn listen(&self, listening: bool) {
        self.lock().pacing.listen(listening);
        self.changed.notify_one();
    }

    /// Notes that so many wakes came that some may have been left out.
    pub(crate) fn crowded(&self) {
        self.lock().pacing.crowded(Instant::now());
    }

    /// Claims nothing from now on; what is buffered still runs.
    pub(crate) fn close(&self) {
        self.lock().closing = true;
        self.changed.notify_one();
    }

    /// Gives back what has not started.
    pub(crate) fn release_buffered(&self) {
        let mut state = self.lock();
        while let Some(Waiting { job, .. }) = state.buffer.pop_front() {
            state.post(Settlement::release(job.hold), Instant::now());
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Starts nothing and claims nothing until [`Self::resume`], and gives back what has not
    /// started.
    pub(crate) fn pause(&self) {
        self.lock().paused = true;
        self.release_buffered();
    }

    /// Ends a pause.
    pub(crate) fn resume(&self) {
        self.lock().paused = false;
        self.changed.notify_one();
    }

    /// Claims nothing until [`Self::unmute`], and takes an order's claim back.
    pub(crate) fn mute(&self, order: &mut Order) {
        let mut state = self.lock();
        state.curb.muted = true;
        if order.limit > 0 {
            let cursor = order.cursor.take();
            state.claim_back(order, cursor);
            order.limit = 0;
        }
    }

    /// Claims nothing until [`Self::unmute`].
    pub(crate) fn mute_claims(&self) {
        self.lock().curb.muted = true;
    }

    /// Lets claims go on.
    pub(crate) fn unmute(&self) {
        self.lock().curb.muted = false;
        self.changed.notify_one();
    }

    /// Notes that a handler could not work for want of the worker's own means: claims pause and get
    /// smaller, and what has not started is given back. Answers whether the log should say so.
    pub(crate) fn short_of_means(&self, now: Instant) -> bool {
        let mut state = self.lock();
        let beside = state.load.running.saturating_sub(1);
        let log = state.curb.short(beside, now);
        drop(state);
        self.release_buffered();
        log
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

    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
