//! Claims without an answer: the connection was lost on the way, or it took too long. The server may have carried them out all the
//! same. Nobody runs what they took, and at the end of its lease it would count as lost, which a job survives twice: it is given back.
//!
//! A claim may still be under way when it is first asked for, and be seen only later. So it is asked for until its lease must be over:
//! a claim that takes longer than that refuses itself.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::Notify;
use uuid::Uuid;

use super::{backoff::Backoff, shared::Shared, stats::add};
use crate::{
    error::{Error, Result},
    statements,
};

/// How many one call asks for at most, the newest first: the others were asked for before.
const BATCH_MAX: usize = 1000;
/// The pause after the first look, which doubles: most claims are over when their connection is.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

#[derive(Debug, Default)]
pub(crate) struct Unheard {
    claims: Mutex<Vec<Claim>>,
    added: Notify,
}

#[derive(Debug)]
struct Claim {
    /// The lease token of everything that it took.
    token: Uuid,
    /// Past this it has taken nothing that is not returned by itself.
    until: Instant,
}

impl Unheard {
    /// Of a claim that was sent so long before `until` as its lease lasts.
    pub(crate) fn add(&self, token: Uuid, until: Instant) {
        self.claims().push(Claim { token, until });
        self.added.notify_one();
    }

    /// Whether nothing is owed any more.
    pub(crate) fn is_empty(&self, now: Instant) -> bool {
        self.claims().iter().all(|claim| claim.until <= now)
    }

    /// Forgets what is over by itself; the rest.
    fn open(&self, now: Instant) -> Vec<Uuid> {
        let mut claims = self.claims();
        claims.retain(|claim| claim.until > now);
        claims.iter().rev().take(BATCH_MAX).map(|claim| claim.token).collect()
    }

    fn claims(&self) -> MutexGuard<'_, Vec<Claim>> {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Until the worker has settled everything.
pub(crate) async fn run(shared: Arc<Shared>) {
    let finish = shared.signals.finish.clone();
    finish.run_until_cancelled(look(&shared)).await;
}

async fn look(shared: &Shared) {
    let mut pauses = pauses(shared);
    loop {
        if shared.unheard.is_empty(Instant::now()) {
            shared.unheard.added.notified().await;
            pauses = self::pauses(shared);
        }
        give_back(shared).await;
        // another one begins anew: its first look should not wait
        if tokio::time::timeout(pauses.next(), shared.unheard.added.notified()).await.is_ok() {
            pauses = self::pauses(shared);
        }
    }
}

fn pauses(shared: &Shared) -> Backoff {
    Backoff::new(FIRST_PAUSE, (shared.settings.lease / 6).max(FIRST_PAUSE))
}

/// One look.
pub(crate) async fn give_back(shared: &Shared) {
    let tokens = shared.unheard.open(Instant::now());
    if tokens.is_empty() {
        return;
    }
    match release(shared, &tokens).await {
        Ok(0) => {}
        Ok(jobs) => {
            tracing::info!(jobs, "gave back what claims without an answer had taken");
            add(&shared.stats.released, jobs);
            shared.wake_all();
        }
        // while the database is away, the claims themselves say so
        Err(error @ Error::Unavailable { .. }) => {
            tracing::debug!(claims = tokens.len(), %error, "no answer to a release of claims");
        }
        Err(error) => {
            add(&shared.stats.call_failures, 1);
            tracing::warn!(claims = tokens.len(), %error, hint = error.hint(), "what claims without an answer took could not be given back yet");
        }
    }
}

async fn release(shared: &Shared, tokens: &[Uuid]) -> Result<usize> {
    let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 2] =
        [&&*shared.settings.worker_id, &tokens];
    let rows = shared
        .connections
        .rows(shared.upkeep_seat(), shared.patience(), &statements::RELEASE, &parameters)
        .await?;
    let jobs: i32 = rows.first().map_or(Ok(0), |row| row.try_get(0))?;
    Ok(usize::try_from(jobs).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_owed_until_its_lease_must_be_over() {
        let (unheard, now) = (Unheard::default(), Instant::now());
        let (first, second) = (Uuid::new_v4(), Uuid::new_v4());
        assert!(unheard.is_empty(now));
        unheard.add(first, now + Duration::from_secs(30));
        unheard.add(second, now + Duration::from_secs(40));
        assert_eq!(unheard.open(now), [second, first]);
        assert_eq!(unheard.open(now + Duration::from_secs(30)), [second], "the first is over");
        assert!(!unheard.is_empty(now + Duration::from_secs(39)));
        assert!(unheard.is_empty(now + Duration::from_secs(40)));
        assert!(unheard.open(now + Duration::from_secs(40)).is_empty());
    }
}
