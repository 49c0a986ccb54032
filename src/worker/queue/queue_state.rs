//! What a subscription knows of its queue, and what follows from it. Everything here happens under
//! its lock and does no I/O.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::worker::{
    claimed_job::ClaimedJob,
    held::{hold::Stage, settlement::Settlement},
    queue::{
        curb::Curb,
        order::{Order, Step},
        pacing::{Bounds, Load, Pacing},
        refused::Refused,
    },
};

/// How long a settlement may wait for company.
pub(super) const SETTLE_AFTER: Duration = Duration::from_millis(3);
/// What the results and errors of one trip may take together, unless a single one takes more.
const TRIP_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A claimed job in the buffer.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) job: ClaimedJob,
    /// When it arrived here.
    pub(super) since: Instant,
}

/// What waits, runs and is on its way, of one queue.
#[derive(Debug)]
pub(super) struct QueueState {
    pub(super) pacing: Pacing,
    pub(super) load: Load,
    pub(super) buffer: VecDeque<Waiting>,
    pub(super) outbox: VecDeque<Settlement>,
    /// Since when the oldest settlement waits.
    pub(super) waiting_since: Option<Instant>,
    /// How many settlements are on their way.
    pub(super) settling: usize,
    pub(super) batch_max: usize,
    /// Where the rounds of the tenants stand; a claim takes one cursor along and brings it back.
    pub(super) cursors: Vec<String>,
    /// Whether nothing is claimed any more.
    pub(super) closing: bool,
    /// Whether a suspect is to run alone.
    pub(super) paused: bool,
    /// What holds claims back for the worker's own sake.
    pub(super) curb: Curb,
    /// How many settlements to send at a time, after a batch was not answered in time.
    pub(super) narrowed: Option<usize>,
    /// The settlements that the database refused.
    pub(super) refused: Refused,
}

impl QueueState {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            batch_max: bounds.batch_max,
            pacing: Pacing::new(bounds),
            load: Load::default(),
            buffer: VecDeque::new(),
            outbox: VecDeque::new(),
            waiting_since: None,
            settling: 0,
            cursors: Vec::new(),
            closing: false,
            paused: false,
            curb: Curb::new(),
            narrowed: None,
            refused: Refused::new(),
        }
    }

    /// Puts a settlement into the outbox, unless the job is lost.
    pub(super) fn post(&mut self, settlement: Settlement, now: Instant) {
        if settlement.hold.advance(Stage::Ended) != Stage::Lost {
            self.waiting_since.get_or_insert(now);
            self.outbox.push_back(settlement);
        }
    }

    /// Takes the next job whose lease still holds. One whose lease is over by this clock is given
    /// back: if the lease holds after all, that is accepted, else it changes nothing.
    pub(super) fn pop(&mut self, now: Instant) -> Option<ClaimedJob> {
        if self.paused {
            return None;
        }
        while let Some(Waiting { job, .. }) = self.buffer.pop_front() {
            if job.hold.stage() == Stage::Lost {
                continue;
            }
            if job.hold.lease_ends() > now {
                job.hold.advance(Stage::Running);
                return Some(job);
            }
            self.post(Settlement::release(job.hold), now);
        }
        None
    }

    fn load(&self) -> Load {
        Load { buffered: self.buffer.len(), ..self.load }
    }

    pub(super) fn is_settled(&self) -> bool {
        self.load.running == 0
            && self.buffer.is_empty()
            && self.outbox.is_empty()
            && self.refused.is_empty()
            && self.settling == 0
    }

    /// How much a claim should ask for now.
    fn claim_due(&self, now: Instant) -> Option<usize> {
        self.claimable().filter(|_| self.pacing.may_claim(now) && self.curb.may_claim(now))
    }

    /// How much a claim should ask for once it may be sent. Claims wait while settlements pile up,
    /// and do not travel with a batch that may be too much.
    fn claimable(&self) -> Option<usize> {
        let behind = self.outbox.len() + self.settling > 4 * self.batch_max;
        if self.closing
            || self.paused
            || behind
            || self.refused.is_full()
            || self.narrowed.is_some() && !self.outbox.is_empty()
        {
            return None;
        }
        self.room()
    }

    fn room(&self) -> Option<usize> {
        let load = self.load();
        self.pacing.room(load).and_then(|limit| self.curb.room(limit, load))
    }

    /// Whether it is time to settle: the batch is large, or old, or nothing else will end soon. A
    /// claim that is about to be sent takes the settlements along.
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

    /// Whether a task that syncs the queue should look: something is due, or (after a slot's
    /// change) a timer has to be set.
    pub(super) fn is_due(&self, now: Instant, freed: bool) -> bool {
        let fresh = self.waiting_since == Some(now);
        let apart = self.refused.next_due().is_some_and(|due| due <= now);
        fresh || freed || apart || self.settle_due(now) || self.claim_due(now).is_some()
    }

    /// Says what to do now.
    pub(super) fn step(&mut self, now: Instant) -> Step {
        self.give_stale_back(now);
        if let Some(order) = self.refused.next(now) {
            self.settling += order.settlements.len();
            return Step::Send(order);
        }
        let settle = self.settle_due(now);
        // what is settled may have made room under a limit, and no dispatch says so
        let along = || {
            self.claimable().filter(|_| {
                settle && self.pacing.is_waiting_for_wakes(now) && self.curb.may_claim(now)
            })
        };
        let limit = self.claim_due(now).or_else(along).unwrap_or(0);
        if settle || limit > 0 {
            return Step::Send(self.order(limit, now));
        }
        if self.closing && self.load.claims_open == 0 && self.is_settled() {
            return Step::Done;
        }
        Step::Wait(self.next_due())
    }

    fn order(&mut self, limit: usize, now: Instant) -> Order {
        let count = self.settlements_due(limit);
        let settlements: Vec<Settlement> = self.outbox.drain(..count).collect();
        self.waiting_since = (!self.outbox.is_empty()).then_some(now);
        self.settling += settlements.len();
        let mut cursor = None;
        if limit > 0 {
            cursor = self.cursors.pop();
            self.pacing.sent();
            self.load.asked += limit;
            self.load.claims_open += 1;
        }
        let idle_for = self.pacing.idle_for();
        Order { settlements, refusals: None, limit, cursor, idle_for }
    }

    /// How many settlements the next trip takes along. As many as it may claim, so that neither
    /// half makes the other one wait and as much goes out as comes in; half of what has piled up
    /// nevertheless; never more bytes than one message should have.
    fn settlements_due(&self, limit: usize) -> usize {
        let usual = limit.max(self.pacing.trip_size()).max(self.outbox.len() / 2);
        let most = self.narrowed.unwrap_or(usual).min(self.batch_max);
        let mut bytes = 0;
        let fitting = self.outbox.iter().take(most).take_while(|settlement| {
            bytes += settlement.ending.bytes();
            bytes <= TRIP_BYTES_MAX
        });
        fitting.count().max(1).min(self.outbox.len())
    }

    /// Takes back what an order counted for its claim, and keeps the cursor.
    pub(super) fn claim_back(&mut self, order: &Order, cursor: Option<String>) {
        self.load.asked -= order.limit;
        self.load.claims_open -= 1;
        self.cursors.extend(cursor);
    }

    /// Gives back jobs that wait here for far longer than planned: they sit behind handlers that
    /// turned out slow, and another worker may be free. The time that their claim took is no sign
    /// of that: where every claim takes long, they would be given back for ever.
    fn give_stale_back(&mut self, now: Instant) {
        let stale_after = self.pacing.stale_after();
        let mut any = false;
        while self.buffer.front().is_some_and(|waiting| waiting.since + stale_after <= now) {
            let Some(Waiting { job, .. }) = self.buffer.pop_front() else { break };
            self.post(Settlement::release(job.hold), now);
            any = true;
        }
        if any {
            self.pacing.stalled();
        }
    }

    /// When something will be due by the passing of time alone.
    fn next_due(&self) -> Option<Instant> {
        let settle = self.waiting_since.map(|since| since + SETTLE_AFTER);
        let may_claim = !self.closing && !self.paused && self.room().is_some();
        let claim = self.pacing.not_before().max(self.curb.not_before()).filter(|_| may_claim);
        let stale = self.buffer.front().map(|waiting| waiting.since + self.pacing.stale_after());
        [settle, claim, stale, self.refused.next_due()].into_iter().flatten().min()
    }
}
