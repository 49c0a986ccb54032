//! Calls the database's maintenance: `tick()` as often as it asks for, `prune()` now and then. Every worker does; the
//! database lets one at a time work. No failure here stops anything.

use std::{sync::Arc, time::Duration};

use super::{
    backoff::{Backoff, jittered},
    shared::Shared,
};
use crate::{error::Result, statements};

const TICK_MIN: Duration = Duration::from_millis(50);
const TICK_MAX: Duration = Duration::from_secs(5);
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

async fn tick_forever(shared: &Shared) {
    let mut backoff = Backoff::new(Duration::from_millis(200), TICK_MAX);
    loop {
        let pause = match tick(shared).await {
            Ok(next) => {
                backoff.reset();
                jittered(next)
            }
            Err(error) => {
                tracing::warn!(%error, hint = error.hint(), "a tick failed");
                backoff.next()
            }
        };
        tokio::time::sleep(pause).await;
    }
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
        check(3600.0, 5000);
        check(-1.0, 50);
        check(f64::NAN, 50);
    }
}
