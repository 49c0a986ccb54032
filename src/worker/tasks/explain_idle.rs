//! Asks why there is nothing to do, and logs the answer: at the start of a worker that stays, and
//! at the end of a drain. Each asks one bounded question, once.

use std::{sync::Arc, time::Duration};

use tokio_postgres::types::ToSql;

use crate::{
    error::Result,
    protocol::statements,
    worker::{
        connections::FIRST,
        context::Context,
        log::idle_reasons::{Reason, sentences},
    },
};

/// How long the answer is waited for; nothing depends on it.
const PATIENCE: Duration = Duration::from_secs(3);

/// Explains why a worker that has just started may have nothing to do. What waits for it is no
/// reason, and a drain explains itself at its end.
pub(crate) async fn at_start(context: Arc<Context>) {
    if context.settings.drain {
        return;
    }
    let closing = context.signals.closing.clone();
    let Some(Ok(reasons)) = closing.run_until_cancelled(ask(&context)).await else { return };
    for line in sentences(&reasons, false) {
        line.log();
    }
}

/// Explains what a drain leaves behind that has found nothing more. It says that the queues are
/// empty only if they are.
pub(crate) async fn at_end(context: &Context) {
    let reasons = match ask(context).await {
        Ok(reasons) => reasons,
        Err(error) => {
            tracing::debug!(%error, "the worker cannot ask what waits all the same");
            tracing::info!("nothing is left that this worker may run now");
            return;
        }
    };
    if reasons.iter().any(Reason::holds_jobs) {
        tracing::info!("nothing is left that this worker may run now");
    } else {
        tracing::info!("the queues are empty");
    }
    for line in sentences(&reasons, true) {
        line.log();
    }
}

async fn ask(context: &Context) -> Result<Vec<Reason>> {
    let queues: Vec<&str> =
        context.subscriptions.iter().map(|subscription| &*subscription.queue).collect();
    let parameters: [&(dyn ToSql + Sync); 2] = [&queues, &context.types];
    let answer = context.connections.rows(FIRST, PATIENCE, &statements::WHY_IDLE, &parameters);
    answer.await?.iter().map(Reason::read).collect()
}
