//! Whether the queues are empty, for a worker that stops then.
//!
//! In a drain, all queues are empty when each of them gave nothing to a claim that was sent while
//! the worker held nothing, and no claim has found anything since. Suspects are claimed apart, so
//! they count as one more queue.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
};

use tokio_util::sync::CancellationToken;

use crate::worker::{
    held::{ledger::Ledger, lost_claims::LostClaims},
    queue::subscription::Subscription,
};

/// Watches the claims of one worker, and says when a drain is over.
pub(crate) struct Drain {
    /// Whether the worker stops when its queues are empty.
    wanted: bool,
    ledger: Arc<Ledger>,
    lost_claims: Arc<LostClaims>,
    subscriptions: Vec<Arc<Subscription>>,
    drained: CancellationToken,
    /// How many claims found something, or may have.
    finds: AtomicU64,
    /// What is known of every queue, and of the suspects after them.
    queues: Vec<EmptyQueue>,
}

#[derive(Default)]
struct EmptyQueue {
    /// Whether a claim found the queue empty.
    seen: AtomicBool,
    /// The count of finds when that claim was sent.
    finds: AtomicU64,
}

impl Drain {
    pub(crate) fn new(
        wanted: bool,
        ledger: Arc<Ledger>,
        lost_claims: Arc<LostClaims>,
        subscriptions: Vec<Arc<Subscription>>,
        drained: CancellationToken,
    ) -> Self {
        let queues = (0..=subscriptions.len()).map(|_| EmptyQueue::default()).collect();
        let finds = AtomicU64::new(0);
        Self { wanted, ledger, lost_claims, subscriptions, drained, finds, queues }
    }

    /// The number that suspects have among the queues.
    fn suspects(&self) -> usize {
        self.subscriptions.len()
    }

    /// Begins a claim of one queue, with which so many settlements travel.
    pub(crate) fn begin(&self, queue_index: usize, settlements: usize) -> ClaimMark<'_> {
        // in this order: a claim of another queue enters its jobs in the ledger before it counts
        // as a find
        let finds = self.finds.load(SeqCst);
        let (lost_claims, clear) = (self.lost_claims.count(), self.lost_claims.is_clear());
        let alone = clear && self.ledger.len() == settlements;
        ClaimMark { drain: self, queue_index, finds, lost_claims, alone }
    }

    /// Begins a claim of a suspect of any queue.
    pub(crate) fn begin_suspect(&self) -> ClaimMark<'_> {
        self.begin(self.suspects(), 0)
    }

    /// Whether every queue gave nothing to a claim, so that only suspects may be left.
    pub(crate) fn only_suspects_left(&self) -> bool {
        self.all_empty(self.suspects())
    }

    /// Whether the first so many gave nothing, and nothing was found since.
    fn all_empty(&self, queues: usize) -> bool {
        let finds = self.finds.load(SeqCst);
        self.queues[..queues].iter().all(|queue| queue.seen.load(SeqCst))
            && self.queues[..queues].iter().all(|queue| queue.finds.load(SeqCst) == finds)
    }

    fn is_over(&self) -> bool {
        self.all_empty(self.queues.len())
            && self.lost_claims.is_clear()
            && self.subscriptions.iter().all(|subscription| subscription.is_still())
    }
}

/// What was known when a claim was sent.
#[must_use = "a claim is answered or fails"]
pub(crate) struct ClaimMark<'a> {
    drain: &'a Drain,
    queue_index: usize,
    finds: u64,
    /// How many claims had been lost by then.
    lost_claims: u64,
    /// Whether the worker held nothing beside what this claim's trip settles.
    alone: bool,
}

impl ClaimMark<'_> {
    /// Notes that the claim brought so many jobs, which stand in the ledger already.
    pub(crate) fn answered(self, got: usize) {
        let drain = self.drain;
        if got > 0 {
            drain.finds.fetch_add(1, SeqCst);
            return;
        }
        if !drain.wanted || !self.alone {
            return;
        }
        let queue = &drain.queues[self.queue_index];
        queue.seen.store(true, SeqCst);
        queue.finds.store(self.finds, SeqCst);
        if drain.is_over() {
            drain.drained.cancel();
        }
    }

    /// Notes that the claim failed; its queue must not count as still yet. Answers whether claims
    /// were lost since this one was sent: what they took may come back.
    pub(crate) fn failed(self) -> bool {
        let lost = self.drain.lost_claims.count() > self.lost_claims;
        self.drain.finds.fetch_add(u64::from(lost), SeqCst);
        lost
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_drain_does_not_end_beside_a_lost_claim() {
        let (ledger, lost_claims) = (Arc::default(), Arc::new(LostClaims::default()));
        let (drained, queue) = (CancellationToken::new(), crate::worker::context::tests::queue());
        let drain =
            Drain::new(true, ledger, Arc::clone(&lost_claims), vec![queue], drained.clone());
        // both are under way when one of them is lost; the other one found nothing
        let (lost, empty) = (drain.begin(0, 0), drain.begin(0, 0));
        let token = lost_claims.sent(Duration::from_secs(30)).token();
        assert!(lost.failed(), "what it took may come back");
        empty.answered(0);
        assert!(!drained.is_cancelled(), "it was sent before");
        let early = drain.begin(0, 0);
        lost_claims.asked(&[token], &[]);
        early.answered(0);
        assert!(!drained.is_cancelled(), "the database had not been asked for it then");
        drain.begin(0, 0).answered(0);
        assert!(!drained.is_cancelled(), "no call has asked for suspects");
        assert!(drain.only_suspects_left());
        drain.begin_suspect().answered(0);
        assert!(drained.is_cancelled());
    }
}
