//! The tasks that talk to the database: each takes what is due (settlements, a claim, or both), sends it in one round trip,
//! and hands out the answer. Several work for one queue, so that one trip is under way while another's jobs run.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio_postgres::Row;
use uuid::Uuid;

use super::{
    backoff::Backoff,
    claimed::{ClaimContext, Work, column},
    executor, heartbeat,
    hold::HoldKey,
    settlement::{Batch, Ending, Settlement},
    shared::Shared,
    stats::add,
    subscription::{Failure, Order, Step, Subscription},
    unheard::Owed,
};
use crate::{
    error::{Error, ErrorKind, Result},
    statements,
};

/// One of the tasks of one queue.
pub(crate) struct Exchanger {
    pub(crate) shared: Arc<Shared>,
    pub(crate) subscription: Arc<Subscription>,
    /// The queue's place among the worker's.
    pub(crate) queue_index: usize,
    /// Which connection.
    pub(crate) seat: usize,
}

impl Exchanger {
    /// Until the queue is closed and everything is settled.
    pub(crate) async fn run(self) {
        let finish = self.shared.signals.finish.clone();
        finish.run_until_cancelled(self.serve()).await;
    }

    async fn serve(&self) {
        let mut backoff = Backoff::database();
        loop {
            match self.subscription.step(Instant::now()) {
                Step::Send(order) => match self.send(order).await {
                    Sent::Answered => backoff.reset(),
                    Sent::Muted => {}
                    Sent::Failed => tokio::time::sleep(self.pause(backoff.next())).await,
                },
                Step::Wait(Some(until)) => {
                    let until = tokio::time::Instant::from_std(until);
                    let _ =
                        tokio::time::timeout_at(until, self.subscription.changed.notified()).await;
                }
                Step::Wait(None) => self.subscription.changed.notified().await,
                Step::Done => return,
            }
        }
    }

    /// A worker that is shutting down has no time for long pauses.
    fn pause(&self, pause: Duration) -> Duration {
        if self.shared.signals.closing.is_cancelled() {
            pause.min(Duration::from_millis(250))
        } else {
            pause
        }
    }

    /// Sends an order, less its claim where no lease could be kept.
    async fn send(&self, mut order: Order) -> Sent {
        if order.limit > 0 && !self.shared.connections.holds(self.shared.heart_seat()) {
            // what is held goes on, but nothing is claimed whose lease could not be kept
            self.subscription.mute(&mut order);
            self.shared.heart_wanted.notify_one();
            if order.settlements.is_empty() {
                return Sent::Muted;
            }
        }
        self.trip(order).await
    }

    /// One round trip. After a failure its order is given back.
    async fn trip(&self, mut order: Order) -> Sent {
        let mark = (order.limit > 0).then(|| self.shared.before_claim(order.settlements.len()));
        let sent_at = Instant::now();
        match self.call(&order, sent_at).await {
            Ok(answer) => {
                let got = answer.works.len();
                self.deliver(&order, answer, sent_at.elapsed());
                if let Some(mark) = mark {
                    self.shared.after_claim(self.queue_index, &mark, got);
                }
                Sent::Answered
            }
            Err(error) => {
                let unheard = mark.is_some_and(|mark| self.shared.claim_failed(&mark));
                self.note_failure(&error, &mut order);
                let failure = if unheard
                    || is_too_much(&error)
                    || sent_at.elapsed() >= self.shared.patience()
                {
                    Failure::Unanswered
                } else {
                    Failure::Call
                };
                self.subscription.failed(order, failure);
                self.shared.ledger.shrunk.notify_waiters(); // whoever waits for open claims looks again
                Sent::Failed
            }
        }
    }

    async fn call(&self, order: &Order, sent_at: Instant) -> Result<Answer> {
        let (shared, settings) = (&self.shared, &self.shared.settings);
        let patience = shared.patience();
        let batch = Batch::new(&order.settlements);
        let (limit, queues) =
            (i32::try_from(order.limit).unwrap_or(i32::MAX), [&*self.subscription.queue]);
        let line = shared.connections.line(self.seat, patience).await?;
        // from here on it may happen without our hearing of it
        let owed = (order.limit > 0).then(|| shared.unheard.owe(settings.lease));
        let token = owed.as_ref().map(Owed::token);
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 15] = [
            &&*settings.worker_id,
            &batch.ids,
            &batch.attempts,
            &batch.tokens,
            &batch.words,
            &batch.results,
            &batch.errors,
            &batch.delays,
            &queues.as_slice(),
            &limit,
            &shared.types,
            &settings.lease.as_secs_f64(),
            &order.cursor,
            &token,
            &order.idle_for.as_secs_f64(),
        ];
        let answer = line.rows(patience, &statements::EXCHANGE, &parameters).await;
        let refused = answer.as_ref().is_err_and(|error| !may_have_happened(error));
        // an answer that cannot be read is none
        let answer = answer.and_then(|rows| self.read(order, &rows, sent_at));
        if let Some(owed) = owed.filter(|_| refused || answer.is_ok()) {
            owed.answered();
        }
        answer
    }

    fn read(&self, order: &Order, rows: &[Row], sent_at: Instant) -> Result<Answer> {
        let context = ClaimContext {
            registry: &self.shared.registry,
            queue: &self.subscription.queue,
            sent_at,
            lease: self.shared.settings.lease,
        };
        let mut answer = Answer::default();
        for row in rows {
            match row.try_get(column::KIND)? {
                "claimed" => answer.works.push(context.work(row)?),
                "settled" | "already" | "stale" => {
                    let key = (row.try_get(column::ID)?, row.try_get(column::ATTEMPT)?);
                    answer.settled.insert(key, row.try_get(column::STATUS)?);
                }
                "next" => {
                    answer.cursor = row.try_get(column::NEXT_CURSOR)?;
                    answer.cancelled = row.try_get(column::CANCELLED)?;
                    answer.suspect_waiting = row.try_get(column::SUSPECT_WAITING)?;
                }
                _ => {} // of a later version
            }
        }
        debug_assert!(order.limit > 0 || answer.works.is_empty());
        Ok(answer)
    }

    fn deliver(&self, order: &Order, answer: Answer, took: Duration) {
        let Answer { works, settled, cursor, cancelled, suspect_waiting } = answer;
        let shared = &self.shared;
        if !order.settlements.is_empty() {
            add(&shared.stats.settlements, 1);
            for settlement in &order.settlements {
                self.count(settlement, settled.get(&settlement.hold.key()));
            }
            shared.ledger.remove(order.settlements.iter().map(|settlement| &*settlement.hold));
        }
        if order.limit > 0 {
            shared.stats.claim(works.len());
            works.iter().for_each(log_claim);
            shared.ledger.add(works.iter().map(|work| Arc::clone(&work.hold)));
        }
        heartbeat::cancel(shared, &cancelled.unwrap_or_default());
        shared.solo.told(self.queue_index, suspect_waiting);
        let start = self.subscription.answered(order, works, cursor, took, Instant::now());
        executor::start(shared, &self.subscription, start);
        shared.ledger.shrunk.notify_waiters();
    }

    /// Settlements that are not in the answer were accepted as completed.
    fn count(&self, settlement: &Settlement, answered: Option<&Option<String>>) {
        let stats = &self.shared.stats;
        if let Some(status) = answered.map_or(Some("completed"), Option::as_deref) {
            self.shared.attempt_log.ended(settlement, status);
        }
        let counter = match answered {
            None => &stats.completed,
            Some(None) => {
                self.log_refusal(settlement);
                if may_be_accepted(settlement) {
                    return;
                }
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

    /// Logs the failure and prepares what was not accepted for another try.
    fn note_failure(&self, error: &Error, order: &mut Order) {
        add(&self.shared.stats.call_failures, 1);
        let (queue, settlements) = (&*self.subscription.queue, order.settlements.len());
        let hint = error.hint();
        if !self.shared.connections.outage.takes(error) {
            tracing::warn!(queue, settlements, limit = order.limit, %error, hint, "a call failed and will be repeated");
        }
        order.settlements.iter_mut().for_each(|settlement| settlement.sent = true);
    }

    fn log_refusal(&self, settlement: &Settlement) {
        let hold = &*settlement.hold;
        if may_be_accepted(settlement) {
            let (id, attempt) = (hold.id, hold.attempt);
            tracing::warn!(%id, attempt, "the settlement was repeated and not accepted: the first one was, or the lease is lost");
        } else {
            self.shared.attempt_log.lost(hold, "the settlement was not accepted");
        }
    }
}

enum Sent {
    Answered,
    /// Nothing was sent, since nothing may be claimed now.
    Muted,
    Failed,
}

#[derive(Default)]
struct Answer {
    works: Vec<Work>,
    /// The new status of those that did not simply become completed; none for a stale one.
    settled: HashMap<HoldKey, Option<String>>,
    cursor: Option<String>,
    /// Jobs of this worker that somebody asked to stop.
    cancelled: Option<Vec<Uuid>>,
    /// A job waits that is to run alone.
    suspect_waiting: bool,
}

/// Whether less at once may pass: the server ran out of time, memory or temporary space for this call, and the same one would again.
fn is_too_much(error: &Error) -> bool {
    matches!(error.sqlstate(), Some("53200" | "53400" | "57014"))
}

/// Whether the server may have done what was sent: the connection broke. Any other error it answered with, and that is the end of the
/// transaction.
pub(super) fn may_have_happened(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Configuration | ErrorKind::Driver)
}

pub(super) fn log_claim(work: &Work) {
    let hold = &*work.hold;
    tracing::info!(
        target: "fairclaim::claim",
        id = %hold.id,
        r#type = &*hold.job_type,
        tenant = %hold.tenant,
        queue = &*hold.queue,
        attempt = hold.attempt,
        "Claimed job"
    );
}

/// A stale answer to what was sent before: a retry, snooze or release leaves nothing by which its repetition could be told.
fn may_be_accepted(settlement: &Settlement) -> bool {
    settlement.sent && !settlement.ending.is_final()
}

#[cfg(test)]
mod tests {
    use super::{super::shared::tests::shared, *};

    #[tokio::test]
    async fn a_claim_that_failed_is_told_to_whoever_waits_for_open_claims() {
        let shared = shared(); // its database does not exist
        let subscription = Arc::clone(&shared.subscriptions[0]);
        let Step::Send(order) = subscription.step(Instant::now()) else { panic!("no claim") };
        let exchanger =
            Exchanger { shared: Arc::clone(&shared), subscription, queue_index: 0, seat: 0 };
        let told = shared.ledger.shrunk.notified();
        assert!(matches!(exchanger.trip(order).await, Sent::Failed));
        tokio::time::timeout(Duration::from_secs(10), told).await.expect("nobody was told");
    }

    #[tokio::test]
    async fn without_the_connection_of_the_heartbeat_a_claim_is_not_sent_and_is_waited_for() {
        let shared = shared();
        let subscription = Arc::clone(&shared.subscriptions[0]);
        let Step::Send(order) = subscription.step(Instant::now()) else { panic!("no claim") };
        let exchanger = Exchanger {
            shared: Arc::clone(&shared),
            subscription: Arc::clone(&subscription),
            queue_index: 0,
            seat: 0,
        };
        assert!(matches!(exchanger.send(order).await, Sent::Muted));
        assert!(matches!(subscription.step(Instant::now()), Step::Wait(None)), "until it is there");
        assert!(!subscription.is_claiming());
        shared.heart_wanted.notified().await;
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
}
