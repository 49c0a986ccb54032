//! Syncs a queue with the database: each task takes what is due (settlements, a claim, or both),
//! sends it in one round trip, and hands out the answer. Several work for one queue, so that one
//! trip is under way while the jobs of another run.

mod call;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::time::{sleep, timeout_at};

use self::call::{Answer, Call};
use crate::{
    error::{Error, Result},
    worker::{
        backoff::Backoff,
        connections::may_have_happened,
        context::Context,
        drain::ClaimMark,
        held::settlement::{Ending, Settlement},
        queue::{
            order::{Failure, Order, Step},
            subscription::Subscription,
        },
        stats::add,
        tasks::execute,
    },
};

/// The longest pause after a failure while the worker shuts down.
const CLOSING_PAUSE_MAX: Duration = Duration::from_millis(250);

/// One of the tasks that sync one queue.
pub(crate) struct SyncQueue {
    pub(crate) context: Arc<Context>,
    pub(crate) subscription: Arc<Subscription>,
    /// The number of the queue among the worker's.
    pub(crate) queue_index: usize,
    /// The connection that it uses.
    pub(crate) seat: usize,
}

impl SyncQueue {
    /// Sends what is due. Returns when the queue is closed and everything is settled, or once
    /// `signals.finish` is cancelled.
    pub(crate) async fn run(self) {
        let finish = self.context.signals.finish.clone();
        finish.run_until_cancelled(self.serve()).await;
    }

    async fn serve(&self) {
        let mut backoff = Backoff::database();
        loop {
            match self.subscription.step(Instant::now()) {
                Step::Send(order) => match self.send(order).await {
                    Sent::Answered => backoff.reset(),
                    // the queue waits by itself before it tries again what was refused
                    Sent::Muted | Sent::Refused => {}
                    Sent::Failed => sleep(self.pause(backoff.next())).await,
                },
                Step::Wait(Some(until)) => {
                    let _ = timeout_at(until.into(), self.subscription.changed.notified()).await;
                }
                Step::Wait(None) => self.subscription.changed.notified().await,
                Step::Done => return,
            }
        }
    }

    /// Shortens a pause while the worker shuts down, which has no time for long ones.
    fn pause(&self, pause: Duration) -> Duration {
        if self.context.signals.closing.is_cancelled() {
            pause.min(CLOSING_PAUSE_MAX)
        } else {
            pause
        }
    }

    /// Sends an order, without its claim where no lease could be kept.
    async fn send(&self, mut order: Order) -> Sent {
        if order.limit > 0 && !self.context.holds_heartbeat() {
            // what is held goes on, but nothing is claimed whose lease could not be kept
            self.subscription.mute(&mut order);
            self.context.heartbeat_wanted.notify_one();
            if order.settlements.is_empty() {
                return Sent::Muted;
            }
        }
        self.trip(order).await
    }

    /// Makes one round trip. After a failure its order is given back to the queue.
    async fn trip(&self, mut order: Order) -> Sent {
        let (context, sent_at) = (&self.context, Instant::now());
        let mark = (order.limit > 0)
            .then(|| context.drain.begin(self.queue_index, order.settlements.len()));
        match self.call(&order).await {
            Ok(answer) => {
                let got = answer.jobs.len();
                self.deliver(&order, answer, sent_at.elapsed());
                if let Some(mark) = mark {
                    mark.answered(got);
                }
                if got > 0 {
                    context.jobs_found();
                }
                Sent::Answered
            }
            Err(error) => {
                let lost = mark.is_some_and(ClaimMark::failed);
                let late = sent_at.elapsed() >= context.settings.call_patience();
                let failure = if !order.settlements.is_empty() && is_refusal(&error) {
                    Failure::Refused
                } else if lost || late || is_too_much(&error) {
                    Failure::Unanswered
                } else {
                    Failure::Call
                };
                self.note_failure(&error, &mut order, failure);
                self.subscription.failed(order, failure, Instant::now());
                // a task that waits for the end of open claims looks again
                context.ledger.shrunk.notify_waiters();
                if failure == Failure::Refused { Sent::Refused } else { Sent::Failed }
            }
        }
    }

    async fn call(&self, order: &Order) -> Result<Answer> {
        let patience = self.context.settings.call_patience();
        let connection = self.context.connections.connection(self.seat, patience).await?;
        Call::new(&self.context, &self.subscription.queue, order).send(connection).await
    }

    fn deliver(&self, order: &Order, answer: Answer, took: Duration) {
        let Answer { jobs, settled, cursor, cancelled, suspect_waiting } = answer;
        let context = &self.context;
        if !order.settlements.is_empty() {
            add(&context.stats.settlements, 1);
            for settlement in &order.settlements {
                self.count(settlement, settled.get(&settlement.hold.key()));
            }
            context.ledger.remove(order.settlements.iter().map(|settlement| &*settlement.hold));
        }
        if order.limit > 0 {
            context.stats.claim(jobs.len());
            context.claim_answered.notify_waiters();
            context.attempt_log.claimed(jobs.iter().map(|job| &*job.hold));
            context.ledger.add(jobs.iter().map(|job| Arc::clone(&job.hold)));
        }
        context.ledger.cancel(&cancelled.unwrap_or_default());
        context.suspects.note(self.queue_index, suspect_waiting);
        let start = self.subscription.answered(order, jobs, cursor, took, Instant::now());
        execute::start(context, &self.subscription, start);
        context.ledger.shrunk.notify_waiters();
    }

    /// Counts and logs what became of a settlement. One that is not in the answer was accepted as
    /// completed.
    fn count(&self, settlement: &Settlement, answered: Option<&Option<String>>) {
        let stats = &self.context.stats;
        if let Some(status) = answered.map_or(Some("completed"), Option::as_deref) {
            self.context.attempt_log.ended(settlement, status);
        }
        let counter = match answered {
            None => &stats.completed,
            Some(None) if may_be_accepted(settlement) => {
                let words = "the settlement was repeated and not accepted: the first one was, or \
                             the lease is lost";
                self.context.attempt_log.warn(&settlement.hold, words);
                return;
            }
            Some(None) => {
                self.context.attempt_log.lost(&settlement.hold, "the settlement was not accepted");
                &stats.lost
            }
            Some(Some(status)) => match (status.as_str(), &settlement.ending) {
                ("completed", _) => &stats.completed,
                ("failed", _) => &stats.failed,
                ("cancelled", _) => &stats.cancelled,
                (_, Ending::Snooze { .. }) => &stats.snoozed,
                (_, Ending::Release) => &stats.released,
                _ => &stats.retried,
            },
        };
        add(counter, 1);
    }

    /// Logs the failure and prepares what was not accepted for another try. Of a refusal the call is
    /// logged once, and the settlement once it is known which one it is; a trigger writes its
    /// message, which is left out, since it may quote the row.
    fn note_failure(&self, error: &Error, order: &mut Order, failure: Failure) {
        add(&self.context.stats.call_failures, 1);
        let refused = failure == Failure::Refused;
        let sqlstate = error.sqlstate().unwrap_or_default();
        let known = if refused {
            order.refusals.is_some()
        } else {
            self.context.connections.outage.takes(error)
        };
        if !known {
            let told =
                if refused { format!("{} {sqlstate}", error.kind()) } else { error.to_string() };
            tracing::warn!(
                queue = &*self.subscription.queue,
                settlements = order.settlements.len(),
                limit = order.limit,
                error = told,
                hint = error.hint(),
                "a call failed and will be repeated"
            );
        }
        if !refused {
            order.settlements.iter_mut().for_each(|settlement| settlement.sent = true);
        } else if let ([settlement], None | Some(0)) = (&*order.settlements, order.refusals) {
            self.context.attempt_log.refused(&settlement.hold, sqlstate);
        }
    }
}

/// What became of an order.
enum Sent {
    Answered,
    /// Nothing was sent, since nothing may be claimed now.
    Muted,
    /// The database refuses a settlement of it.
    Refused,
    Failed,
}

/// Whether less at once may pass: the server ran out of time, memory or temporary space for this
/// call, and would do so again for the same one.
fn is_too_much(error: &Error) -> bool {
    matches!(error.sqlstate(), Some("53200" | "53400" | "57014"))
}

/// Whether the server refuses what was asked and will not change its mind soon, so that nothing has
/// happened and a part of it may pass.
fn is_refusal(error: &Error) -> bool {
    let answered = error.sqlstate().is_some() && !may_have_happened(error);
    answered && !error.is_transient() && !is_too_much(error)
}

/// Whether a stale settlement may have been accepted when it was sent before: a retry, snooze or
/// release leaves nothing by which its repetition could be known.
fn may_be_accepted(settlement: &Settlement) -> bool {
    settlement.sent && !settlement.ending.is_final()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker::context::tests::context;

    #[tokio::test]
    async fn a_claim_that_failed_ends_the_wait_for_open_claims() {
        let context = context(); // its database does not exist
        let subscription = Arc::clone(&context.subscriptions[0]);
        let Step::Send(order) = subscription.step(Instant::now()) else { panic!("no claim") };
        let sync =
            SyncQueue { context: Arc::clone(&context), subscription, queue_index: 0, seat: 0 };
        let ended = context.ledger.shrunk.notified();
        assert!(matches!(sync.trip(order).await, Sent::Failed));
        tokio::time::timeout(Duration::from_secs(10), ended).await.expect("the wait goes on");
    }

    #[tokio::test]
    async fn without_the_connection_of_the_heartbeat_a_claim_is_not_sent_and_is_waited_for() {
        let context = context();
        let subscription = Arc::clone(&context.subscriptions[0]);
        let Step::Send(order) = subscription.step(Instant::now()) else { panic!("no claim") };
        let sync = SyncQueue {
            context: Arc::clone(&context),
            subscription: Arc::clone(&subscription),
            queue_index: 0,
            seat: 0,
        };
        assert!(matches!(sync.send(order).await, Sent::Muted));
        assert!(matches!(subscription.step(Instant::now()), Step::Wait(None)), "until it is there");
        assert!(!subscription.is_claiming());
        context.heartbeat_wanted.notified().await;
        subscription.unmute();
        assert!(matches!(subscription.step(Instant::now()), Step::Send(order) if order.limit > 0));
    }

    #[test]
    fn what_the_server_has_no_room_or_time_for_is_sent_in_smaller_parts() {
        let database = |sqlstate: &str| Error::database(sqlstate, "");
        for too_much in ["53200", "53400", "57014"] {
            assert!(is_too_much(&database(too_much)), "{too_much}");
        }
        for other in ["53100", "53300", "40001", "55P03", "54000"] {
            assert!(!is_too_much(&database(other)), "{other}");
        }
        assert!(!is_too_much(&Error::unavailable("gone")));
    }

    #[test]
    fn what_a_trigger_or_a_constraint_raises_is_a_refusal_and_what_may_pass_is_none() {
        let database = |sqlstate: &str| Error::database(sqlstate, "");
        for refusal in ["P0001", "23514", "23505", "22003", "0A000", "XX000"] {
            assert!(is_refusal(&database(refusal)), "{refusal}");
        }
        assert!(!is_refusal(&Error::unavailable("gone")));
        assert!(!is_refusal(&Error::schema_mismatch("not as expected", "")), "it was answered");
        for passing in ["40001", "40P01", "55P03", "57014", "57P01", "53100", "53400", "25006"] {
            assert!(!is_refusal(&database(passing)), "{passing}");
        }
    }
}
