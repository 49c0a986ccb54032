//! Reports to the registry of workers: that this one lives, with how many slots, and what handlers
//! took in queues that are fair by seconds. Nothing depends on a single report, so one that fails is
//! told to the log of details only and tried again.
//!
//! While there is work it reports every few seconds. While it is idle it makes no call of its own:
//! it reports beside a claim that is made anyway, and says for how long it may be silent.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::time::sleep;
use tokio_postgres::types::ToSql;

use crate::{
    error::Result,
    protocol::statements,
    worker::{context::Context, queue::run_times::RunTime, settings},
};

/// How long one report is after another at least, unless the database asks for more.
const EVERY: Duration = Duration::from_secs(5);
const EVERY_MAX: Duration = Duration::from_secs(60);
/// How many reports of a worker that works may be missing before it counts as gone.
const MISSING_MAX: u32 = 6;
/// How long an idle worker may be silent at least.
const SILENT_MIN: Duration = Duration::from_secs(120);

/// Reports at once and from then on. Returns once `signals.closing` is cancelled.
pub(crate) async fn run(context: Arc<Context>) {
    let closing = context.signals.closing.clone();
    closing.run_until_cancelled(report_for_ever(&context)).await;
}

/// Says that the worker ends, where the database can be told without a new connection.
pub(crate) async fn at_end(context: &Context) {
    if !context.holds_heartbeat() {
        return; // it sleeps, or the database is away
    }
    if let Err(error) = report(context, Duration::ZERO).await {
        tracing::debug!(%error, "the worker could not say that it ends");
    }
}

async fn report_for_ever(context: &Context) {
    let mut every = EVERY;
    let mut claimed = 0; // until the last report
    loop {
        let now_claimed = context.stats.report().claimed;
        let idle = context.ledger.len() == 0 && now_claimed == claimed;
        claimed = now_claimed;
        let silent_for = if idle { idle_silence(context) } else { every * MISSING_MAX };
        // one that failed is repeated with the next claim, and so is one of a worker that worked
        let mut not_before = Instant::now();
        match report(context, silent_for).await {
            Ok(next) => {
                every = next;
                if idle {
                    not_before += silent_for / 2;
                }
            }
            Err(error) => tracing::debug!(%error, "a report of this worker failed"),
        }
        sleep(every).await;
        until_wanted(context, claimed, not_before).await;
    }
}

/// For how long an idle worker may be silent: longer than two of its claims are apart.
fn idle_silence(context: &Context) -> Duration {
    let settings = &context.settings;
    // it may listen only later
    let pause = if settings.listen { settings.woken_pause() } else { settings.polled_pause() };
    (pause * 5 / 2).max(SILENT_MIN)
}

/// Waits while there is nothing to report: until there is work, or a claim was answered and the
/// next report is due.
async fn until_wanted(context: &Context, claimed: u64, not_before: Instant) {
    loop {
        let answered = context.claim_answered.notified();
        if context.ledger.len() > 0 || context.stats.report().claimed > claimed {
            return;
        }
        answered.await;
        if Instant::now() >= not_before {
            return;
        }
    }
}

/// Sends one report. Answers in how long the next one is wanted.
async fn report(context: &Context, silent_for: Duration) -> Result<Duration> {
    if context.run_times.is_wanted() {
        let now = Instant::now();
        for hold in context.ledger.all() {
            if let Some(so_far) = hold.runs_for(now) {
                context.run_times.add(&hold, so_far);
            }
        }
    }
    let items = context.run_times.take();
    let sent = send(context, silent_for, &items).await;
    if sent.is_err() {
        context.run_times.give_back(&items);
    }
    let (next, by_seconds) = sent?;
    context.run_times.want(by_seconds);
    Ok(next)
}

async fn send(
    context: &Context,
    silent_for: Duration,
    items: &[RunTime],
) -> Result<(Duration, Vec<String>)> {
    let settings = &context.settings;
    let subscriptions = &context.subscriptions;
    let queues: Vec<&str> = subscriptions.iter().map(|subscription| &*subscription.queue).collect();
    let slots: Vec<i32> = subscriptions
        .iter()
        .map(|subscription| i32::try_from(subscription.concurrency).unwrap_or(100_000).min(100_000))
        .collect();
    let tenants: Vec<_> = items.iter().map(|item| item.tenant).collect();
    let tenant_queues: Vec<&str> = items.iter().map(|item| &*item.queue).collect();
    let jobs: Vec<i32> = items
        .iter()
        .map(|item| i32::try_from(item.jobs).unwrap_or(1_000_000).min(1_000_000))
        .collect();
    let seconds: Vec<f64> = items.iter().map(|item| item.spent.as_secs_f64()).collect();
    let (host, silent_for) = (settings::host(), silent_for.as_secs_f64().min(86_400.0));
    let parameters: [&(dyn ToSql + Sync); 11] = [
        &&*settings.worker_id,
        &host,
        &env!("CARGO_PKG_VERSION"),
        &queues,
        &slots,
        &context.types,
        &silent_for,
        &tenants,
        &tenant_queues,
        &jobs,
        &seconds,
    ];
    // beside heartbeats, which are as small, and never behind a long tick
    let (seat, patience) = (settings.heartbeat_seat(), settings.heartbeat_patience());
    let rows =
        context.connections.rows(seat, patience, &statements::REPORT_WORK, &parameters).await?;
    let Some(row) = rows.first() else { return Ok((EVERY, Vec::new())) };
    let every = Duration::try_from_secs_f64(row.try_get("report_in")?).unwrap_or(EVERY);
    Ok((every.clamp(EVERY, EVERY_MAX), row.try_get("by_seconds")?))
}
