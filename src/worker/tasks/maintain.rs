//! Calls the database's maintenance: `tick()` as often as it asks for, `drop_ranges()` and
//! `prune()` when a tick says that no worker has for a while. Every worker does; the database lets
//! one at a time work. No failure here stops anything.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::time::{sleep, timeout_at};
use tokio_postgres::Row;

use crate::{
    client::operator::{Pruned, RangesDropped},
    error::Result,
    protocol::statements::{self, Statement},
    worker::{backoff::Backoff, context::Context},
};

const TICK_MIN: Duration = Duration::from_millis(50);
const TICK_MAX: Duration = Duration::from_secs(60);
/// The pause that the database asks for when nothing is due; then workers need not tick all at the
/// same time.
const NOTHING_DUE: Duration = Duration::from_secs(29);
/// How far the ticks of a fleet for the same due time are spread.
const SPREAD: Duration = Duration::from_millis(50);
/// How soon the next tick follows the last one while there is work.
const BUSY: Duration = Duration::from_secs(1);
/// How soon it follows when something will be due that the last tick may not have seen.
const DUE: Duration = Duration::from_millis(250);
/// The longest pause after a failed tick.
const RETRY_MAX: Duration = Duration::from_secs(5);
/// How many calls one round of pruning makes: some 10 to 20,000 rows each, for an hour.
const PRUNE_CALLS_MAX: usize = 6_000;
/// The shortest and the longest pause between two calls of pruning.
const PRUNE_PAUSE_MIN: Duration = Duration::from_millis(20);
const PRUNE_PAUSE_MAX: Duration = Duration::from_secs(10);
/// How many ranges one round drops, and how long it lets others through between two.
const DROPS_MAX: usize = 64;
const BETWEEN_DROPS: Duration = Duration::from_millis(200);
/// The most rounds after which ranges that are in use are tried again.
const DROP_ROUNDS_MAX: u32 = 16;
/// How long a call may take: maintenance of a large backlog takes a while.
const PATIENCE: Duration = Duration::from_secs(60);

/// Ticks and prunes. Returns once `signals.closing` is cancelled.
pub(crate) async fn run(context: Arc<Context>) {
    let closing = context.signals.closing.clone();
    let both = async { tokio::join!(tick_forever(&context), prune_forever(&context)) };
    closing.run_until_cancelled(both).await;
}

/// Ticks, each time when the last tick said so or earlier.
async fn tick_forever(context: &Context) {
    let mut backoff = Backoff::new(Duration::from_millis(200), RETRY_MAX);
    loop {
        context.maintenance.clear();
        let began = Instant::now();
        let pause = match tick(context).await {
            Ok(next) => {
                backoff.reset();
                spread(next)
            }
            Err(error) => {
                if !context.connections.outage.takes(&error) {
                    tracing::warn!(%error, hint = error.hint(), "a tick failed");
                }
                backoff.next()
            }
        };
        until_next_tick(context, began, pause).await;
    }
}

/// Waits for the next tick: the database has said when, unless something has happened since.
async fn until_next_tick(context: &Context, began: Instant, pause: Duration) {
    let signals = &context.maintenance;
    let mut until = Instant::now() + pause;
    loop {
        let changed = signals.changed.notified();
        if signals.is_due() {
            until = until.min(began + DUE);
        }
        if signals.is_busy() || context.ledger.len() > 0 {
            until = until.min(began + BUSY);
        }
        if !context.is_listening() {
            // no notification says what will be due
            until = until.min(began + context.settings.polled_pause());
        }
        if timeout_at(until.into(), changed).await.is_err() {
            return;
        }
    }
}

/// Moves a pause by a little, so that a fleet does not tick all at once; it never gets shorter.
fn spread(next: Duration) -> Duration {
    let most = if next >= NOTHING_DUE { next / 10 } else { SPREAD.min(next / 10) };
    next + most.mul_f64(rand::random())
}

/// Calls `tick()`. Answers in how long the next one is wanted.
async fn tick(context: &Context) -> Result<Duration> {
    let rows = call(context, &statements::TICK).await?;
    let Some(row) = rows.first() else { return Ok(TICK_MAX) };
    let (promoted, returned): (i32, i32) = (row.try_get("promoted")?, row.try_get("returned")?);
    if returned > 0 {
        tracing::warn!(
            returned,
            "jobs whose workers died or stood still are given to others: their leases ended"
        );
    }
    if promoted + returned > 0 {
        context.wake_all();
    }
    if row.try_get("prune_due")? {
        context.maintenance.prune_due.notify_one();
    }
    Ok(pause(row.try_get("next_tick_in")?))
}

async fn call(context: &Context, statement: &Statement) -> Result<Vec<Row>> {
    context.connections.rows(context.settings.maintenance_seat(), PATIENCE, statement, &[]).await
}

/// Bounds what the database asked for.
fn pause(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(TICK_MIN).clamp(TICK_MIN, TICK_MAX)
}

/// When to try again to drop ranges: more rarely while some transaction uses them.
#[derive(Debug)]
struct Drops {
    every: u32,
    wait: u32,
}

impl Drops {
    const NEW: Self = Self { every: 1, wait: 0 };

    /// Whether it is time in this round.
    fn is_due(&mut self) -> bool {
        self.wait = self.wait.saturating_sub(1);
        self.wait == 0
    }

    fn done(&mut self, in_use: bool) {
        self.every = if in_use { (self.every * 2).min(DROP_ROUNDS_MAX) } else { 1 };
        self.wait = self.every;
    }
}

/// Prunes whenever a tick says that it is time.
async fn prune_forever(context: &Context) {
    let mut drops = Drops::NEW;
    loop {
        context.maintenance.prune_due.notified().await;
        if let Err(error) = retain(context, &mut drops).await
            && !context.connections.outage.takes(&error)
        {
            tracing::warn!(%error, "pruning failed and is tried again later");
        }
    }
}

/// Deletes what is past retention: whole ranges first, since that is much cheaper; then row by row
/// what could not go so.
async fn retain(context: &Context, drops: &mut Drops) -> Result<()> {
    if drops.is_due() {
        let dropped = drop_ranges(context).await;
        drops.done(*dropped.as_ref().unwrap_or(&true));
        if let Err(error) = dropped {
            let hint = error.hint();
            tracing::warn!(
                %error,
                hint,
                "ranges past retention could not be dropped; their rows are deleted meanwhile"
            );
        }
    }
    prune(context).await
}

/// Drops ranges. Answers whether some transaction uses what should go.
async fn drop_ranges(context: &Context) -> Result<bool> {
    let mut dropped = 0;
    for _ in 0..DROPS_MAX {
        let rows = call(context, &statements::DROP_RANGES).await?;
        let Some(row) = rows.first() else { break };
        let answer = RangesDropped::read(row)?;
        dropped += answer.ranges_dropped;
        if answer.ranges_dropped == 0 {
            if dropped > 0 {
                tracing::info!(dropped, "dropped ranges of jobs that are past retention");
            }
            return Ok(answer.ranges_in_use > 0);
        }
        sleep(BETWEEN_DROPS).await;
    }
    Ok(false)
}

/// Prunes until nothing is left. It pauses for twice as long as each call took, so that ticks and
/// the server have the rest of the time; of a fleet one worker goes on, and the others hear that it
/// is busy.
async fn prune(context: &Context) -> Result<()> {
    let mut deleted = 0;
    for _ in 0..PRUNE_CALLS_MAX {
        let began = Instant::now();
        let rows = call(context, &statements::PRUNE).await?;
        let Some(row) = rows.first() else { break };
        let answer = Pruned::read(row)?;
        deleted += answer.rows_deleted;
        if answer.passed_over > 0 {
            let jobs = answer.passed_over;
            tracing::warn!(jobs, "jobs past retention cannot be deleted; the server's log has why");
        }
        if answer.busy || !answer.more {
            break;
        }
        sleep((began.elapsed() * 2).clamp(PRUNE_PAUSE_MIN, PRUNE_PAUSE_MAX)).await;
    }
    if deleted > 0 {
        tracing::info!(deleted, "deleted jobs that are past retention");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_are_in_use_are_tried_again_more_and_more_rarely() {
        let mut drops = Drops::NEW;
        let mut rounds_until = |in_use| {
            let rounds = (1..=100).take_while(|_| !drops.is_due()).count() + 1;
            drops.done(in_use);
            rounds
        };
        let all = [true, true, true, true, true, true, false, false].map(&mut rounds_until);
        assert_eq!(all, [1, 2, 4, 8, 16, 16, 16, 1]);
    }

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
