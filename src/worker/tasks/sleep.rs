//! Sleeps, for databases that are switched off while no client talks to them: after a while without
//! jobs a worker closes its connections and sends nothing until a job is due that it knows of, or
//! the application wakes it. All tasks that talk to the database by themselves do so in shifts, and
//! a shift ends with the sleep.

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::time::sleep;

use crate::{
    error::Result,
    protocol::statements,
    worker::{
        context::Context,
        tasks::{learn_names, listen, maintain, report, run_alone},
    },
};

/// How often it looks, without a call, whether it is idle.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The shortest sleep that is worth opening the connections again.
const SHORTEST: Duration = Duration::from_secs(1);
/// How long the answer what is due is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Works in shifts and sleeps between them. Returns once `signals.closing` is cancelled.
pub(crate) async fn run(context: Arc<Context>) {
    let Some(after) = context.settings.sleep_after else { return shift(&context).await };
    loop {
        let due = tokio::select! {
            () = shift(&context) => return,
            due = until_idle(&context, after) => due,
        };
        // a claim that the end of the shift has cut off is asked for first
        if context.lost_claims.is_clear() && context.ledger.len() == 0 {
            until_woken(&context, due).await;
        }
        context.unmute_all();
    }
}

/// Runs the tasks of one shift: they end by themselves when the worker closes, and are dropped when
/// it goes to sleep.
async fn shift(context: &Arc<Context>) {
    let when = async |wanted: bool, duty: std::pin::Pin<Box<dyn Future<Output = ()> + Send>>| {
        if wanted {
            duty.await;
        }
    };
    let settings = &context.settings;
    tokio::join!(
        run_alone::run(Arc::clone(context)),
        learn_names::run(Arc::clone(context)),
        Box::pin(report::run(Arc::clone(context))),
        when(settings.maintain, Box::pin(maintain::run(Arc::clone(context)))),
        when(settings.listen, Box::pin(listen::run(Arc::clone(context)))),
    );
}

/// Waits until nothing has happened for so long and nothing is due soon. Answers when something
/// will be due. From then on nothing is claimed.
async fn until_idle(context: &Context, after: Duration) -> Option<Instant> {
    let (mut events, mut since) = (context.activity.events(), Instant::now());
    loop {
        sleep(LOOK_EVERY.min(after / 4)).await;
        let seen = context.activity.events();
        if seen != events || !context.is_still() {
            (events, since) = (seen, Instant::now());
        }
        if since.elapsed() < after {
            continue;
        }
        since = Instant::now(); // should it stay awake now
        for subscription in &context.subscriptions {
            subscription.mute_claims();
        }
        if context.is_still() {
            match next_due(context).await {
                Ok(due) if context.activity.events() == events && is_far(due) => return due,
                Ok(_) => {}
                Err(error) => {
                    if !context.connections.outage.takes(&error) {
                        tracing::warn!(
                            %error,
                            hint = error.hint(),
                            "the worker would sleep, but cannot ask what is due"
                        );
                    }
                }
            }
        }
        context.unmute_all();
    }
}

fn is_far(due: Option<Instant>) -> bool {
    due.is_none_or(|due| due > Instant::now() + SHORTEST)
}

/// Asks when something will be due.
async fn next_due(context: &Context) -> Result<Option<Instant>> {
    let seat = context.settings.maintenance_seat();
    let rows = context.connections.rows(seat, PATIENCE, &statements::NEXT_DUE, &[]).await?;
    let seconds: Option<f64> = rows.first().map(|row| row.try_get(0)).transpose()?.flatten();
    Ok(seconds.and_then(|seconds| {
        let span = Duration::try_from_secs_f64(seconds.max(0.0)).ok()?;
        Instant::now().checked_add(span)
    }))
}

/// Sleeps: no connection is open.
async fn until_woken(context: &Context, due: Option<Instant>) {
    context.listen(false);
    context.connections.close();
    context.client.close_idle();
    let seconds = due.map(|due| due.saturating_duration_since(Instant::now()).as_secs());
    tracing::info!(due_in_seconds = seconds, "nothing to do: the worker sleeps");
    let woken = context.activity.woken().notified();
    let due = async {
        match due {
            Some(due) => tokio::time::sleep_until(due.into()).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = woken => tracing::info!("the worker was woken"),
        () = due => tracing::info!("the worker wakes, since something is due"),
        () = context.signals.closing.cancelled() => {}
    }
}
