//! Keeps the leases of jobs that outlive a third of one, and tells handlers to stop when they should.

use std::{
    cmp::Reverse,
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use uuid::Uuid;

use super::{
    backoff::Backoff,
    connections::FIRST,
    hold::{Hold, Stage},
    shared::Shared,
    stats::add,
};
use crate::{error::Result, statements};

/// How many leases one call extends at most.
const BATCH_MAX: usize = 1000;
/// So many failures in a row are more than a connection that was lost.
const FAILURES: u32 = 2;
/// How often it is said that nothing is claimed for want of a connection.
const WARN_EVERY: Duration = Duration::from_secs(30);
/// How long a drain, for whose end somebody waits, waits for that connection.
const DRAIN_PATIENCE: Duration = Duration::from_secs(30);

/// Until the worker has settled everything.
pub(crate) async fn run(shared: Arc<Shared>) {
    let finish = shared.signals.finish.clone();
    let failures = AtomicU32::new(0);
    let all = async {
        tokio::join!(
            beat(&shared, &failures),
            watch(&shared, &failures),
            keep(&shared),
            heed(&shared)
        )
    };
    finish.run_until_cancelled(all).await;
}

/// Holds the connection before the first claim, and then those without which claims and maintenance would have to share: in the order
/// of their need, before anything else takes what there is.
pub(crate) async fn hold(shared: &Shared) -> Result<()> {
    until_held(shared, shared.settings.drain.then(|| Instant::now() + DRAIN_PATIENCE)).await?;
    let patience = patience(shared.settings.lease);
    let seats = [Some(FIRST), shared.settings.maintain.then(|| shared.upkeep_seat())];
    for seat in seats.into_iter().flatten() {
        if let Err(error) = shared.connections.line(seat, patience).await
            && !shared.connections.outage.takes(&error)
        {
            tracing::warn!(%error, hint = error.hint(), "a connection could not be opened yet");
        }
    }
    Ok(())
}

/// Opens the connection again after it was lost and somebody wants to claim; until then nobody does.
async fn keep(shared: &Shared) {
    loop {
        shared.heart_wanted.notified().await;
        let _ = until_held(shared, None).await; // without an end there is no error
        for subscription in &shared.subscriptions {
            subscription.unmute();
        }
    }
}

async fn until_held(shared: &Shared, until: Option<Instant>) -> Result<()> {
    let (mut backoff, mut warn_at) = (Backoff::database(), Instant::now());
    let patience = patience(shared.settings.lease);
    while let Err(error) = shared.connections.line(shared.heart_seat(), patience).await {
        if until.is_some_and(|until| until <= Instant::now()) {
            return Err(error);
        }
        add(&shared.stats.call_failures, 1);
        if !shared.connections.outage.takes(&error) && warn_at <= Instant::now() {
            warn_at = Instant::now() + WARN_EVERY;
            let wanted = shared.connections_wanted();
            tracing::warn!(%error, hint = error.hint(), wanted, "no connection for the heartbeat: nothing is claimed until there is one");
        }
        tokio::time::sleep(backoff.next()).await;
    }
    Ok(())
}

async fn beat(shared: &Shared, failures: &AtomicU32) {
    let period = shared.settings.lease / 6;
    let mut backoff = Backoff::new(period / 20, period);
    loop {
        let mut pause = period;
        let due = shared.ledger.due(Instant::now(), shared.settings.lease);
        for batch in newest_attempts(shared, due).chunks(BATCH_MAX) {
            if let Err(error) = extend(shared, batch).await {
                add(&shared.stats.call_failures, 1);
                failures.fetch_add(1, SeqCst);
                if !shared.connections.outage.takes(&error) {
                    tracing::warn!(jobs = batch.len(), %error, hint = error.hint(), "a heartbeat failed and will be repeated");
                }
                pause = backoff.next();
                break;
            }
            failures.store(0, SeqCst);
            backoff.reset();
        }
        tokio::time::sleep(pause).await;
    }
}

/// Beside the calls, so that one without an answer keeps nobody from being told.
async fn watch(shared: &Shared, failures: &AtomicU32) {
    let lease = shared.settings.lease;
    loop {
        warn_endangered(shared, margin(lease, failures.load(SeqCst)));
        tokio::time::sleep(lease / 12).await;
    }
}

/// How long before the end of their lease handlers should stop, so that they do while their jobs are still surely ours: a
/// third of it when heartbeats do not get through. A single call that failed, or is under way, gets another chance.
fn margin(lease: Duration, failures: u32) -> Duration {
    if failures >= FAILURES { lease / 3 } else { lease / 6 }
}

/// How long a heartbeat may take: it is small, and a lost connection must be noticed while there is time for another one.
pub(crate) fn patience(lease: Duration) -> Duration {
    (lease / 4).clamp(Duration::from_secs(1), Duration::from_secs(15))
}

/// A job that we hold in a later attempt too was lost in the earlier one.
fn newest_attempts(shared: &Shared, mut holds: Vec<Arc<Hold>>) -> Vec<Arc<Hold>> {
    holds.sort_unstable_by_key(|hold| (hold.id, Reverse(hold.attempt)));
    holds.dedup_by(|earlier, later| {
        let same = earlier.id == later.id;
        if same {
            lose(shared, earlier);
        }
        same
    });
    holds
}

async fn extend(shared: &Shared, holds: &[Arc<Hold>]) -> Result<()> {
    let (settings, sent_at) = (&shared.settings, Instant::now());
    let ids: Vec<_> = holds.iter().map(|hold| hold.id).collect();
    let attempts: Vec<_> = holds.iter().map(|hold| hold.attempt).collect();
    let tokens: Vec<_> = holds.iter().map(|hold| hold.lease_token).collect();
    let lease = settings.lease.as_secs_f64();
    let patience = patience(settings.lease);
    let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
        [&&*settings.worker_id, &ids, &attempts, &tokens, &lease];
    let rows = shared
        .connections
        .rows(shared.heart_seat(), patience, &statements::EXTEND, &parameters)
        .await?;
    let holds: HashMap<Uuid, &Arc<Hold>> = holds.iter().map(|hold| (hold.id, hold)).collect();
    for row in rows {
        let Some(hold) = holds.get(&row.try_get("id")?) else { continue };
        if row.try_get("accepted")? {
            hold.extend(sent_at, settings.lease);
        } else {
            lose(shared, hold);
        }
        if row.try_get("cancel_requested")? {
            stop(hold);
        }
    }
    Ok(())
}

/// Somebody asked to cancel a job that some worker runs: asks at once whether it is one of this worker's.
async fn heed(shared: &Shared) {
    loop {
        shared.cancel_told.notified().await;
        if shared.ledger.len() == 0 {
            continue;
        }
        match cancelled(shared).await {
            Ok(ids) => cancel(shared, &ids),
            Err(error) => {
                add(&shared.stats.call_failures, 1);
                tracing::warn!(%error, hint = error.hint(), "what to cancel could not be asked: the next heartbeat tells");
            }
        }
    }
}

async fn cancelled(shared: &Shared) -> Result<Vec<Uuid>> {
    let (seat, patience) = (shared.heart_seat(), patience(shared.settings.lease));
    let worker_id = &&*shared.settings.worker_id;
    let rows =
        shared.connections.rows(seat, patience, &statements::CANCELLED, &[worker_id]).await?;
    Ok(rows.first().map(|row| row.try_get(0)).transpose()?.unwrap_or_default())
}

/// Tells the handlers of these jobs that somebody asked to cancel them.
pub(super) fn cancel(shared: &Shared, ids: &[Uuid]) {
    if !ids.is_empty() {
        shared
            .ledger
            .all()
            .iter()
            .filter(|hold| ids.contains(&hold.id))
            .for_each(|hold| stop(hold));
    }
}

fn stop(hold: &Hold) {
    if !hold.cancellation.is_cancelled() {
        tracing::info!(id = %hold.id, attempt = hold.attempt, "somebody asked to cancel this job");
        hold.cancellation.cancel();
    }
}

/// One whose handler has ended is none of the heartbeat's business any more: its settlement gets an answer of its own.
fn lose(shared: &Shared, hold: &Hold) {
    if matches!(hold.stage(), Stage::Ended | Stage::Settled)
        || hold.advance(Stage::Lost) != Stage::Lost
    {
        return;
    }
    shared
        .attempt_log
        .lost(hold, "another attempt has this job by now, and this one's handler is told to stop");
    add(&shared.stats.lost, 1);
    hold.interrupt();
    shared.ledger.remove([hold].into_iter());
}

/// No heartbeat got through for long: handlers should stop.
fn warn_endangered(shared: &Shared, margin: Duration) {
    for hold in shared.ledger.endangered(Instant::now(), margin) {
        if !hold.cancellation.is_cancelled() {
            shared.attempt_log.endangered(&hold);
            add(&shared.stats.interrupted, 1);
            hold.interrupt();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failed_heartbeat_stops_no_handler_while_there_is_time_for_another() {
        let lease = Duration::from_secs(30);
        // due after a third, sent a period later at the latest, failed when its patience is over
        let left = (lease / 2).checked_sub(patience(lease)).expect("patience is short");
        assert!(left < lease / 3, "as late as that");
        assert!(left > margin(lease, 1), "and still not endangered");
        assert!(left < margin(lease, 2), "but after a second one");
    }

    #[test]
    fn a_heartbeat_waits_neither_for_ever_nor_not_at_all() {
        let check = |lease, seconds| {
            assert_eq!(patience(Duration::from_secs(lease)).as_secs(), seconds);
        };
        check(1, 1);
        check(40, 10);
        check(86_400, 15);
    }
}
