//! Keeps the leases of jobs that outlive a third of one, and tells handlers to stop when they should.

use std::{
    cmp::Reverse,
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use uuid::Uuid;

use super::{
    backoff::Backoff,
    hold::{Hold, Stage},
    shared::Shared,
    stats::add,
};
use crate::{error::Result, statements};

/// How many leases one call extends at most.
const BATCH_MAX: usize = 1000;

/// Until the worker has settled everything.
pub(crate) async fn run(shared: Arc<Shared>) {
    let finish = shared.signals.finish.clone();
    finish.run_until_cancelled(beat(&shared)).await;
}

async fn beat(shared: &Shared) {
    let period = shared.settings.lease / 6;
    let mut backoff = Backoff::new(period / 20, period);
    loop {
        let sent_at = Instant::now();
        let mut pause = period;
        let due = newest_attempts(shared, shared.ledger.due(sent_at, shared.settings.lease));
        for batch in due.chunks(BATCH_MAX) {
            if let Err(error) = extend(shared, batch).await {
                add(&shared.stats.call_failures, 1);
                tracing::warn!(jobs = batch.len(), %error, "a heartbeat failed and will be repeated");
                pause = backoff.next();
                break;
            }
            backoff.reset();
        }
        warn_endangered(shared);
        tokio::time::sleep(pause).await;
    }
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
    let patience = (settings.lease / 4).max(Duration::from_secs(1));
    let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
        [&&*settings.worker_id, &ids, &attempts, &tokens, &lease];
    let rows = shared
        .connections
        .rows(shared.upkeep_seat(), patience, &statements::EXTEND, &parameters)
        .await?;
    let holds: HashMap<Uuid, &Arc<Hold>> = holds.iter().map(|hold| (hold.id, hold)).collect();
    for row in rows {
        let Some(hold) = holds.get(&row.try_get("id")?) else { continue };
        if row.try_get("accepted")? {
            hold.extend(sent_at, settings.lease);
        } else {
            lose(shared, hold);
        }
        if row.try_get("cancel_requested")? && !hold.cancellation.is_cancelled() {
            tracing::info!(id = %hold.id, attempt = hold.attempt, "somebody asked to cancel this job");
            hold.cancellation.cancel();
        }
    }
    Ok(())
}

/// One whose handler has ended is none of the heartbeat's business any more: its settlement gets an answer of its own.
fn lose(shared: &Shared, hold: &Hold) {
    if matches!(hold.stage(), Stage::Ended | Stage::Settled)
        || hold.advance(Stage::Lost) != Stage::Lost
    {
        return;
    }
    tracing::warn!(id = %hold.id, attempt = hold.attempt, "lease lost: another attempt has this job by now");
    add(&shared.stats.lost, 1);
    hold.cancellation.cancel();
    shared.ledger.remove([hold].into_iter());
}

/// No heartbeat got through for two thirds of a lease: handlers should stop while their jobs are still surely ours.
fn warn_endangered(shared: &Shared) {
    for hold in shared.ledger.endangered(Instant::now(), shared.settings.lease) {
        if !hold.cancellation.is_cancelled() {
            tracing::warn!(id = %hold.id, attempt = hold.attempt, "the lease is about to end: no heartbeat was accepted for long");
            hold.cancellation.cancel();
        }
    }
}
