//! Gives back what lost claims took ([`LostClaims`](crate::worker::held::lost_claims::LostClaims)).

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::time::timeout;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::{
    error::Result,
    protocol::statements,
    worker::{backoff::Backoff, context::Context, stats::add},
};

/// The pause after the first look, which doubles: most claims are over when their connection is.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// Asks for lost claims as long as there are any. Returns once `signals.finish` is cancelled.
pub(crate) async fn run(context: Arc<Context>) {
    let finish = context.signals.finish.clone();
    finish.run_until_cancelled(look_for_ever(&context)).await;
}

async fn look_for_ever(context: &Context) {
    let longest = (context.settings.lease / 6).max(FIRST_PAUSE);
    let mut pauses = Backoff::new(FIRST_PAUSE, longest);
    loop {
        let added = context.lost_claims.added.notified();
        let more = if give_back(context).await {
            timeout(pauses.next(), added).await.is_ok()
        } else {
            added.await;
            true
        };
        if more {
            pauses.reset();
        }
    }
}

/// Asks once for the lost claims. Answers whether it is to be asked again.
pub(crate) async fn give_back(context: &Context) -> bool {
    let tokens = context.lost_claims.open(Instant::now());
    if tokens.is_empty() {
        return false;
    }
    match release(context, &tokens).await {
        Ok((found, jobs)) => {
            context.lost_claims.asked(&tokens, &found);
            if jobs > 0 {
                tracing::info!(jobs, "gave back what claims had taken whose answers were lost");
                add(&context.stats.released, jobs);
                context.wake_all();
            }
            context.ledger.shrunk.notify_waiters(); // a task that waits to be alone looks again
        }
        // while the database is away, the claims themselves say so
        Err(error) if error.is_unavailable() => {
            tracing::debug!(claims = tokens.len(), %error, "no answer to a release of claims");
        }
        Err(error) => {
            add(&context.stats.call_failures, 1);
            if !context.connections.outage.takes(&error) {
                tracing::warn!(
                    claims = tokens.len(),
                    %error,
                    hint = error.hint(),
                    "what claims took whose answers were lost could not be given back yet"
                );
            }
        }
    }
    true
}

/// Releases what the claims of these tokens took. Answers the tokens of which something was there,
/// and how many jobs that was.
async fn release(context: &Context, tokens: &[Uuid]) -> Result<(Vec<Uuid>, usize)> {
    let settings = &context.settings;
    let parameters: [&(dyn ToSql + Sync); 2] = [&&*settings.worker_id, &tokens];
    // beside heartbeats, which are as small, and never behind a long tick
    let (seat, patience) = (settings.heartbeat_seat(), settings.heartbeat_patience());
    let rows = context.connections.rows(seat, patience, &statements::RELEASE, &parameters).await?;
    let (mut found, mut jobs) = (Vec::new(), 0);
    for row in rows {
        found.push(row.try_get("lease_token")?);
        jobs += usize::try_from(row.try_get::<_, i32>("jobs")?).unwrap_or(0);
    }
    Ok((found, jobs))
}
