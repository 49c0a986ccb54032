//! What a queue and the tasks that sync it with the database hand each other.

use std::time::{Duration, Instant};

use crate::worker::held::settlement::Settlement;

/// How an attempt ended, for its slot to hand in.
#[derive(Debug)]
pub(crate) struct Ended {
    /// What the database is to be told; none when there is nothing.
    pub(crate) settlement: Option<Settlement>,
    pub(crate) took: Duration,
}

/// What a task that syncs the queue should do now.
#[derive(Debug)]
pub(crate) enum Step {
    /// Send this.
    Send(Order),
    /// Wait until something changes, or until this instant.
    Wait(Option<Instant>),
    /// End: the queue is closed, and everything is settled.
    Done,
}

/// One round trip: settlements, a claim, or both.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) settlements: Vec<Settlement>,
    /// Set where these settlements were refused and are tried apart from the others: how often the
    /// only one of them was refused alone.
    pub(crate) refusals: Option<u32>,
    /// How many jobs to claim at most; 0 for no claim.
    pub(crate) limit: usize,
    pub(crate) cursor: Option<String>,
    /// How long the queue will be idle when the claim finds nothing, unless it is woken.
    pub(crate) idle_for: Duration,
}

/// Why an order was not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The call as such failed: it is repeated as it was.
    Call,
    /// There was no answer, perhaps because it is too much at once, or the server says so: half of
    /// it is sent next.
    Unanswered,
    /// The database refuses one of the settlements, and nothing has happened: halves of them are
    /// tried apart from the others.
    Refused,
}
