//! Calls the database's maintenance: `tick()` as often as it asks for, `prune()` now and then. Every worker does; the
//! database lets one at a time work. No failure here stops anything.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use super::{
    backoff::{Backoff, jittered},
    shared::Shared,
};
use crate::{error::Result, statements};

const TICK_MIN: Duration = Duration::from_millis(50);
const TICK_MAX: Duration = Duration::from_secs(60);
/// How long an answer is that means "nothing is due": then workers need not tick all at the same time.
const NOTHING_DUE: Duration = Duration::from_secs(29);
/// How far the ticks of a fleet for the same due time are spread.
const SPREAD: Duration = Duration::from_millis(50);
/// While there is work, the next tick follows the last one this soon.
const BUSY: Duration = Duration::from_secs(1);
/// When something will be due that the last tick may not have seen, this soon.
const DUE: Duration = Duration::from_millis(250);
/// After a failure.
const RETRY_MAX: Duration = Duration::from_secs(5);
const PRUNE_EVERY: Duration = Duration::from_secs(600);
/// How many ranges one round of pruning works on.
const PRUNE_CALLS_MAX: usize = 16;
/// Maintenance of a large backlog may take a while.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn run(shared: Arc<Shared>) {
    let closing = shared.signals.closing.clone();
    let both = async { tokio::join!(tick_forever(&shared), prune_forever(&shared)) };
    closing.run_until_cancelled(both).await;
}

/// What makes the next tick come sooner than the last one said.
#[derive(Debug, Default)]
pub(crate) struct Upkeep {
    changed: Notify,
    /// Something will be due that the last tick may not have seen.
    due: AtomicBool,
    /// There was work since the last tick.
    busy: AtomicBool,
}

impl Upkeep {
    /// Something will be due that the last tick may not have seen.
    pub(crate) fn due(&self) {
        if !self.due.swap(true, SeqCst) {
            self.changed.notify_one();
        }
    }

    /// There is work, here or elsewhere.
    pub(crate) fn busy(&self) {
        if !self.busy.swap(true, SeqCst) {
            self.changed.notify_one();
        }
    }
}

async fn tick_forever(shared: &Shared) {
    let mut backoff = Backoff::new(Duration::from_millis(200), RETRY_MAX);
    loop {
        let upkeep = &shared.upkeep;
        upkeep.due.store(false, SeqCst);
        upkeep.busy.store(false, SeqCst);
        let began = Instant::now();
        let pause = match tick(shared).await {
            Ok(next) => {
                backoff.reset();
                spread(next)
            }
            Err(error) => {
                tracing::warn!(%error, hint = error.hint(), "a tick failed");
                backoff.next()
            }
        };
        rest(shared, began, pause).await;
    }
}

/// Until the next tick: the database has said when, unless something has happened since.
async fn rest(shared: &Shared, began: Instant, pause: Duration) {
    let upkeep = &shared.upkeep;
    let mut until = Instant::now() + pause;
    loop {
        let changed = upkeep.changed.notified();
        if upkeep.due.load(SeqCst) {
            until = until.min(began + DUE);
        }
        if upkeep.busy.load(SeqCst) || shared.ledger.len() > 0 {
            until = until.min(began + BUSY);
        }
        if !shared.is_listening() {
            until = until.min(began + shared.settings.polled_pause()); // nobody tells it
        }
        if tokio::time::timeout_at(until.into(), changed).await.is_err() {
            return;
        }
    }
}

/// A fleet does not tick all at once; never before it is due.
fn spread(next: Duration) -> Duration {
    let most = if next >= NOTHING_DUE { next / 10 } else { SPREAD.min(next / 10) };
    next + most.mul_f64(rand::random())
}

/// Returns when the next one is wanted.
async fn tick(shared: &Shared) -> Result<Duration> {
    let rows =
        shared.connections.rows(shared.upkeep_seat(), PATIENCE, &statements::TICK, &[]).await?;
    let Some(row) = rows.first() else { return Ok(TICK_MAX) };
    let (promoted, returned): (i32, i32) = (row.try_get("promoted")?, row.try_get("returned")?);
    if returned > 0 {
        tracing::info!(returned, "jobs whose lease ended are waiting again");
    }
    if promoted + returned > 0 {
        shared.wake_all();
    }
    Ok(pause(row.try_get("next_tick_in_seconds")?))
}

fn pause(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(TICK_MIN).clamp(TICK_MIN, TICK_MAX)
}

async fn prune_forever(shared: &Shared) {
    // the first one after a random part of the period, so that workers started together do not prune together
    let mut next = PRUNE_EVERY.mul_f64(rand::random());
    loop {
        tokio::time::sleep(next).await;
        if let Err(error) = prune(shared).await {
            tracing::warn!(%error, "pruning failed and is tried again later");
        }
        next = jittered(PRUNE_EVERY);
    }
}

async fn prune(shared: &Shared) -> Result<()> {
    for _ in 0..PRUNE_CALLS_MAX {
        let rows = shared
            .connections
            .rows(shared.upkeep_seat(), PATIENCE, &statements::PRUNE, &[])
            .await?;
        let Some(row) = rows.first() else { return Ok(()) };
        let (dropped, deleted): (i32, i64) =
            (row.try_get("ranges_dropped")?, row.try_get("rows_deleted")?);
        if dropped == 0 && deleted == 0 {
            return Ok(());
        }
        tracing::info!(dropped, deleted, "pruned what was past retention");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_tick_is_bounded_whatever_the_database_says() {
        let check = |seconds, millis| assert_eq!(pause(seconds).as_millis(), millis);
        check(1.0, 1000);
        check(0.02, 50);
        check(3600.0, 60_000);
        check(-1.0, 50);
        check(f64::NAN, 50);
    }
}
