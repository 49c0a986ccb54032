//! Calls the database's maintenance: `tick()` as often as it asks for, `drop_ranges()` and `prune()` when a tick says that nobody has for a
//! while. Every worker does; the database lets one at a time work. No failure here stops anything.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use super::{backoff::Backoff, shared::Shared};
use crate::{
    error::Result,
    operator::{Pruned, RangesDropped},
    statements,
};

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
/// How many calls one round of pruning makes: some 10 to 20,000 rows each, for an hour.
const PRUNE_CALLS_MAX: usize = 6_000;
const REST_MIN: Duration = Duration::from_millis(20);
const REST_MAX: Duration = Duration::from_secs(10);
/// How many ranges one round drops, and how long it lets others through between two.
const DROPS_MAX: usize = 64;
const BETWEEN_DROPS: Duration = Duration::from_millis(200);
/// After how many rounds ranges that are in use are tried again, at most.
const DROP_ROUNDS_MAX: u32 = 16;
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
    /// A tick said that nobody has pruned for a while.
    prune_due: Notify,
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
                if !shared.connections.outage.takes(&error) {
                    tracing::warn!(%error, hint = error.hint(), "a tick failed");
                }
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
        tracing::warn!(
            returned,
            "jobs whose workers died or stood still are given to others: their leases ended"
        );
    }
    if promoted + returned > 0 {
        shared.wake_all();
    }
    if row.try_get("prune_due")? {
        shared.upkeep.prune_due.notify_one();
    }
    Ok(pause(row.try_get("next_tick_in")?))
}

fn pause(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(TICK_MIN).clamp(TICK_MIN, TICK_MAX)
}

/// When to try again to drop ranges: more rarely while somebody uses them.
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

async fn prune_forever(shared: &Shared) {
    let mut drops = Drops::NEW;
    loop {
        shared.upkeep.prune_due.notified().await;
        if let Err(error) = retain(shared, &mut drops).await
            && !shared.connections.outage.takes(&error)
        {
            tracing::warn!(%error, "pruning failed and is tried again later");
        }
    }
}

/// Whole ranges first, since that is much cheaper; then row by row what could not go so.
async fn retain(shared: &Shared, drops: &mut Drops) -> Result<()> {
    if drops.is_due() {
        let dropped = drop_ranges(shared).await;
        drops.done(*dropped.as_ref().unwrap_or(&true));
        if let Err(error) = dropped {
            let hint = error.hint();
            tracing::warn!(%error, hint, "ranges past retention could not be dropped; their rows are deleted meanwhile");
        }
    }
    prune(shared).await
}

/// Returns whether somebody uses what should go.
async fn drop_ranges(shared: &Shared) -> Result<bool> {
    let mut dropped = 0;
    for _ in 0..DROPS_MAX {
        let rows = shared
            .connections
            .rows(shared.upkeep_seat(), PATIENCE, &statements::DROP_RANGES, &[])
            .await?;
        let Some(row) = rows.first() else { break };
        let step = RangesDropped::read(row)?;
        dropped += step.ranges_dropped;
        if step.ranges_dropped == 0 {
            if dropped > 0 {
                tracing::info!(dropped, "dropped ranges of jobs that are past retention");
            }
            return Ok(step.ranges_in_use > 0);
        }
        tokio::time::sleep(BETWEEN_DROPS).await;
    }
    Ok(false)
}

/// Until nothing is left. It rests twice as long as each call took, so that ticks and the server have the rest of the time;
/// of a fleet one goes on, and the others are told that it is busy.
async fn prune(shared: &Shared) -> Result<()> {
    let mut deleted = 0;
    for _ in 0..PRUNE_CALLS_MAX {
        let began = Instant::now();
        let rows = shared
            .connections
            .rows(shared.upkeep_seat(), PATIENCE, &statements::PRUNE, &[])
            .await?;
        let Some(row) = rows.first() else { break };
        let step = Pruned::read(row)?;
        deleted += step.rows_deleted;
        if step.passed_over > 0 {
            let jobs = step.passed_over;
            tracing::warn!(jobs, "jobs past retention cannot be deleted; the server's log has why");
        }
        if step.busy || !step.more {
            break;
        }
        tokio::time::sleep((began.elapsed() * 2).clamp(REST_MIN, REST_MAX)).await;
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
