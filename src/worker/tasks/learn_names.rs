//! Learns the names of tenants for the log ([`TenantLabels`](crate::worker::log::tenant_labels)).
//! The names are for showing only: nothing waits for them.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::time::sleep;
use uuid::Uuid;

use crate::{error::Result, protocol::statements, worker::context::Context};

/// The pause after an answer, however many new tenants have jobs.
const PAUSE: Duration = Duration::from_secs(1);
/// The pause after a call that failed.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(30);

/// Asks for the names that lines need. Returns once `signals.closing` is cancelled.
pub(crate) async fn run(context: Arc<Context>) {
    let closing = context.signals.closing.clone();
    closing.run_until_cancelled(learn_for_ever(&context)).await;
}

async fn learn_for_ever(context: &Context) {
    let labels = &context.tenant_labels;
    loop {
        labels.noted.notified().await;
        let tenants = labels.take_wanted();
        match ask(context, &tenants).await {
            Ok(names) => {
                labels.learn(&tenants, &names, Instant::now());
                sleep(PAUSE).await;
            }
            Err(error) => {
                tracing::debug!(%error, "the names of tenants could not be asked for");
                sleep(PAUSE_AFTER_FAILURE).await;
            }
        }
    }
}

async fn ask(context: &Context, tenants: &[Uuid]) -> Result<HashMap<Uuid, String>> {
    // beside heartbeats, which are as small, and never behind a long tick
    let settings = &context.settings;
    let (seat, patience) = (settings.heartbeat_seat(), settings.heartbeat_patience());
    let statement = &statements::TENANT_NAMES;
    let rows = context.connections.rows(seat, patience, statement, &[&tenants]).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}
