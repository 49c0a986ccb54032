//! Keeps the leases of jobs that outlive a third of one, and tells handlers to stop when they
//! should.

use std::{
    cmp::Reverse,
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use tokio::time::sleep;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::{
    error::Result,
    protocol::statements,
    worker::{
        backoff::Backoff,
        connections::FIRST,
        context::Context,
        held::hold::{Hold, Stage},
        stats::add,
    },
};

/// How many leases one call extends at most.
const BATCH_MAX: usize = 1000;
/// How many failures in a row are more than a connection that was lost.
const FAILURES: u32 = 2;
/// How often the log says that nothing is claimed for want of a connection.
const WARN_EVERY: Duration = Duration::from_secs(30);
/// How long a drain waits for that connection: a person or a script waits for its end.
const DRAIN_PATIENCE: Duration = Duration::from_secs(30);

/// Extends leases every sixth of one, and stops handlers whose jobs are cancelled or lost. Returns
/// once `signals.finish` is cancelled.
pub(crate) async fn run(context: Arc<Context>) {
    let finish = context.signals.finish.clone();
    let failures = AtomicU32::new(0);
    let all = async {
        tokio::join!(
            beat(&context, &failures),
            watch_leases(&context, &failures),
            reopen(&context),
            cancel_as_asked(&context)
        )
    };
    finish.run_until_cancelled(all).await;
}

/// Opens the heartbeat's connection before the first claim, and then those without which claims and
/// maintenance would have to share one: in the order of their need, before anything else takes what
/// there is.
pub(crate) async fn open_connections(context: &Context) -> Result<()> {
    until_open(context, context.settings.drain.then(|| Instant::now() + DRAIN_PATIENCE)).await?;
    let settings = &context.settings;
    let patience = settings.heartbeat_patience();
    let seats = [Some(FIRST), settings.maintain.then(|| settings.maintenance_seat())];
    for seat in seats.into_iter().flatten() {
        if let Err(error) = context.connections.connection(seat, patience).await
            && !context.connections.outage.takes(&error)
        {
            tracing::warn!(%error, hint = error.hint(), "a connection could not be opened yet");
        }
    }
    Ok(())
}

/// Opens the connection again after it was lost and a task wants to claim. Until then no task
/// claims.
async fn reopen(context: &Context) {
    loop {
        context.heartbeat_wanted.notified().await;
        let _ = until_open(context, None).await; // without an end there is no error
        context.unmute_all();
    }
}

async fn until_open(context: &Context, until: Option<Instant>) -> Result<()> {
    let (mut backoff, mut warn_at) = (Backoff::database(), Instant::now());
    let (seat, patience) =
        (context.settings.heartbeat_seat(), context.settings.heartbeat_patience());
    while let Err(error) = context.connections.connection(seat, patience).await {
        if until.is_some_and(|until| until <= Instant::now()) {
            return Err(error);
        }
        add(&context.stats.call_failures, 1);
        if !context.connections.outage.takes(&error) && warn_at <= Instant::now() {
            warn_at = Instant::now() + WARN_EVERY;
            let wanted = context.connections_wanted();
            tracing::warn!(
                %error,
                hint = error.hint(),
                wanted,
                "no connection for the heartbeat: nothing is claimed until there is one"
            );
        }
        sleep(backoff.next()).await;
    }
    Ok(())
}

async fn beat(context: &Context, failures: &AtomicU32) {
    let period = context.settings.lease / 6;
    let mut backoff = Backoff::new(period / 20, period);
    loop {
        let mut pause = period;
        let due = context.ledger.due(Instant::now(), context.settings.lease);
        for batch in newest_attempts(context, due).chunks(BATCH_MAX) {
            if let Err(error) = extend(context, batch).await {
                add(&context.stats.call_failures, 1);
                failures.fetch_add(1, SeqCst);
                if !context.connections.outage.takes(&error) {
                    tracing::warn!(
                        jobs = batch.len(),
                        %error,
                        hint = error.hint(),
                        "a heartbeat failed and will be repeated"
                    );
                }
                pause = backoff.next();
                break;
            }
            failures.store(0, SeqCst);
            backoff.reset();
        }
        sleep(pause).await;
    }
}

/// Stops handlers whose leases are about to end. It runs beside the calls, so that one without an
/// answer does not keep it waiting.
async fn watch_leases(context: &Context, failures: &AtomicU32) {
    let lease = context.settings.lease;
    loop {
        stop_endangered(context, margin(lease, failures.load(SeqCst)));
        sleep(lease / 12).await;
    }
}

/// How long before the end of their lease handlers should stop, so that they do while the worker
/// still surely has their jobs: a third of it when heartbeats do not get through. A single call
/// that failed, or is under way, gets another chance.
fn margin(lease: Duration, failures: u32) -> Duration {
    if failures >= FAILURES { lease / 3 } else { lease / 6 }
}

/// Keeps the newest attempt of each job: a job that is held in a later attempt too was lost in the
/// earlier one.
fn newest_attempts(context: &Context, mut holds: Vec<Arc<Hold>>) -> Vec<Arc<Hold>> {
    holds.sort_unstable_by_key(|hold| (hold.id, Reverse(hold.attempt)));
    holds.dedup_by(|earlier, later| {
        let same = earlier.id == later.id;
        if same {
            lose(context, earlier);
        }
        same
    });
    holds
}

async fn extend(context: &Context, holds: &[Arc<Hold>]) -> Result<()> {
    let (settings, sent_at) = (&context.settings, Instant::now());
    let ids: Vec<_> = holds.iter().map(|hold| hold.id).collect();
    let attempts: Vec<_> = holds.iter().map(|hold| hold.attempt).collect();
    let tokens: Vec<_> = holds.iter().map(|hold| hold.lease_token).collect();
    let lease = settings.lease.as_secs_f64();
    let (seat, patience) = (settings.heartbeat_seat(), settings.heartbeat_patience());
    let parameters: [&(dyn ToSql + Sync); 5] =
        [&&*settings.worker_id, &ids, &attempts, &tokens, &lease];
    let rows = context.connections.rows(seat, patience, &statements::EXTEND, &parameters).await?;
    let holds: HashMap<Uuid, &Arc<Hold>> = holds.iter().map(|hold| (hold.id, hold)).collect();
    for row in rows {
        let Some(hold) = holds.get(&row.try_get("id")?) else { continue };
        if row.try_get("accepted")? {
            hold.extend(sent_at, settings.lease);
        } else {
            lose(context, hold);
        }
        if row.try_get("cancel_requested")? {
            hold.cancel();
        }
    }
    Ok(())
}

/// Asks which jobs of this worker are to be cancelled, each time that a notification says that one
/// of some worker is.
async fn cancel_as_asked(context: &Context) {
    loop {
        context.cancel_asked.notified().await;
        if context.ledger.len() == 0 {
            continue;
        }
        match cancelled(context).await {
            Ok(ids) => context.ledger.cancel(&ids),
            Err(error) => {
                add(&context.stats.call_failures, 1);
                tracing::warn!(
                    %error,
                    hint = error.hint(),
                    "the worker could not ask what to cancel: the next heartbeat will tell"
                );
            }
        }
    }
}

async fn cancelled(context: &Context) -> Result<Vec<Uuid>> {
    let settings = &context.settings;
    let (seat, patience) = (settings.heartbeat_seat(), settings.heartbeat_patience());
    let worker_id = &&*settings.worker_id;
    let rows =
        context.connections.rows(seat, patience, &statements::CANCELLED, &[worker_id]).await?;
    Ok(rows.first().map(|row| row.try_get(0)).transpose()?.unwrap_or_default())
}

/// Gives a job up that another attempt has. One whose handler has ended is left alone: its
/// settlement gets an answer of its own.
fn lose(context: &Context, hold: &Hold) {
    if matches!(hold.stage(), Stage::Ended | Stage::Settled)
        || hold.advance(Stage::Lost) != Stage::Lost
    {
        return;
    }
    context
        .attempt_log
        .lost(hold, "another attempt has this job by now, and this one's handler is told to stop");
    add(&context.stats.lost, 1);
    hold.interrupt();
    context.ledger.remove([hold].into_iter());
}

/// Tells handlers to stop for whose leases no heartbeat got through for long.
fn stop_endangered(context: &Context, margin: Duration) {
    for hold in context.ledger.endangered(Instant::now(), margin) {
        if !hold.cancellation.is_cancelled() {
            context.attempt_log.endangered(&hold);
            add(&context.stats.interrupted, 1);
            hold.interrupt();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker::settings::tests::settings;

    #[test]
    fn one_failed_heartbeat_stops_no_handler_while_there_is_time_for_another() {
        let (lease, patience) = (settings().lease, settings().heartbeat_patience());
        // due after a third, sent a period later at the latest, failed when its patience is over
        let left = (lease / 2).checked_sub(patience).expect("patience is short");
        assert!(left < lease / 3, "as late as that");
        assert!(left > margin(lease, 1), "and still not endangered");
        assert!(left < margin(lease, 2), "but after a second one");
    }
}
