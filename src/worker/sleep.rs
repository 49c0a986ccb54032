//! Sleep, for databases that are switched off while nobody talks to them: after a while without jobs a worker closes its connections
//! and sends nothing until a job is due that it knows of, or somebody wakes it. Everything that talks to the database by itself does
//! so in shifts, and a shift ends with the sleep.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use tokio::{sync::Notify, time::sleep};

use super::{listener, shared::Shared, solo, ticker};
use crate::{error::Result, statements};

/// How often it looks, without a call, whether it is idle.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A sleep that would be shorter is not worth the connections.
const SHORTEST: Duration = Duration::from_secs(1);
/// The question what is due is a small one.
const PATIENCE: Duration = Duration::from_secs(10);

/// What ends a sleep, and what keeps a worker from it.
#[derive(Debug, Default)]
pub(crate) struct Rouse {
    /// Somebody wants it to be awake; remembered while it is.
    called: Arc<Notify>,
    /// How often something happened here.
    stirs: AtomicU64,
}

impl Rouse {
    /// Something happened that may bring work.
    pub(crate) fn stir(&self) {
        self.stirs.fetch_add(1, SeqCst);
    }

    /// How often something happened.
    pub(crate) fn stirs(&self) -> u64 {
        self.stirs.load(SeqCst)
    }

    /// Calls it from outside.
    pub(crate) fn caller(&self) -> Arc<Notify> {
        Arc::clone(&self.called)
    }
}

/// Everything that talks to the database without being asked, until the worker closes.
pub(crate) async fn run(shared: Arc<Shared>) {
    let Some(after) = shared.settings.sleep_after else { return shift(&shared).await };
    loop {
        let due = tokio::select! {
            () = shift(&shared) => return,
            due = until_idle(&shared, after) => due,
        };
        // a claim that the end of the shift has cut off must be asked for first
        if shared.unheard.is_clear() && shared.ledger.len() == 0 {
            until_woken(&shared, due).await;
        }
        for subscription in &shared.subscriptions {
            subscription.unmute();
        }
    }
}

/// One shift: they end by themselves when the worker closes, and are dropped when it goes to sleep.
async fn shift(shared: &Arc<Shared>) {
    let when = async |wanted: bool, duty: std::pin::Pin<Box<dyn Future<Output = ()> + Send>>| {
        if wanted {
            duty.await;
        }
    };
    let settings = &shared.settings;
    tokio::join!(
        solo::run(Arc::clone(shared)),
        when(settings.maintain, Box::pin(ticker::run(Arc::clone(shared)))),
        when(settings.listen, Box::pin(listener::run(Arc::clone(shared)))),
    );
}

/// Until nothing has happened for so long and nothing is due soon; answers when something will be. From then on nothing is claimed.
async fn until_idle(shared: &Shared, after: Duration) -> Option<Instant> {
    let (mut stirs, mut since) = (shared.rouse.stirs(), Instant::now());
    loop {
        sleep(LOOK_EVERY.min(after / 4)).await;
        let seen = shared.rouse.stirs();
        if seen != stirs || !is_still(shared) {
            (stirs, since) = (seen, Instant::now());
        }
        if since.elapsed() < after {
            continue;
        }
        since = Instant::now(); // should it stay awake now
        for subscription in &shared.subscriptions {
            subscription.hush();
        }
        if is_still(shared) {
            match next_due(shared).await {
                Ok(due) if shared.rouse.stirs() == stirs && is_far(due) => return due,
                Ok(_) => {}
                Err(error) => {
                    if !shared.connections.outage.takes(&error) {
                        tracing::warn!(%error, hint = error.hint(), "a worker that wants to sleep cannot ask what is due");
                    }
                }
            }
        }
        for subscription in &shared.subscriptions {
            subscription.unmute();
        }
    }
}

fn is_far(due: Option<Instant>) -> bool {
    due.is_none_or(|due| due > Instant::now() + SHORTEST)
}

/// Whether nothing is held and nothing under way.
fn is_still(shared: &Shared) -> bool {
    shared.ledger.len() == 0
        && shared.unheard.is_clear()
        && shared.subscriptions.iter().all(|subscription| subscription.is_still())
}

async fn next_due(shared: &Shared) -> Result<Option<Instant>> {
    let seat = shared.upkeep_seat();
    let rows = shared.connections.rows(seat, PATIENCE, &statements::NEXT_DUE, &[]).await?;
    let seconds: Option<f64> = rows.first().map(|row| row.try_get(0)).transpose()?.flatten();
    Ok(seconds.and_then(|seconds| {
        let span = Duration::try_from_secs_f64(seconds.max(0.0)).ok()?;
        Instant::now().checked_add(span)
    }))
}

/// The sleep itself: no connection is open.
async fn until_woken(shared: &Shared, due: Option<Instant>) {
    shared.listen(false);
    shared.connections.close();
    shared.client.close_idle();
    let seconds = due.map(|due| due.saturating_duration_since(Instant::now()).as_secs());
    tracing::info!(due_in_seconds = seconds, "nothing to do: the worker sleeps");
    let called = shared.rouse.called.notified();
    let due = async {
        match due {
            Some(due) => tokio::time::sleep_until(due.into()).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = called => tracing::info!("the worker was woken"),
        () = due => tracing::info!("the worker wakes, since something is due"),
        () = shared.signals.closing.cancelled() => {}
    }
}
