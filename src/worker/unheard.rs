//! Claims without an answer: the connection was lost on the way, or it took too long. The server may have carried them out all the
//! same. Nobody runs what they took, and at the end of its lease it would count as lost, which a job survives twice: it is given back.
//!
//! A claim may still be under way when it is first asked for, and be seen only later. So it is asked for until something of it was there,
//! or its lease must be over: a claim that takes longer than that refuses itself.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use tokio::sync::Notify;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::{backoff::Backoff, heartbeat, shared::Shared, stats::add};
use crate::{error::Result, statements};

/// How many one call asks for at most.
const BATCH_MAX: usize = 1000;
/// The pause after the first look, which doubles: most claims are over when their connection is.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// How long after its end a lease may still be found: ticks come every 5 s at least.
const RETURNED_AFTER: Duration = Duration::from_secs(6);

#[derive(Debug, Default)]
pub(crate) struct Unheard {
    claims: Mutex<Vec<Claim>>,
    /// How many there ever were.
    count: AtomicU64,
    added: Notify,
}

#[derive(Debug)]
struct Claim {
    /// The lease token of everything that it took.
    token: Uuid,
    /// Past this it holds nothing any more.
    until: Instant,
    /// Whether the database has answered for it once.
    asked: bool,
}

impl Unheard {
    /// To be made when a claim is sent, and told of its answer. Dropped without one, the claim is asked for.
    pub(crate) fn owe(&self, lease: Duration) -> Owed<'_> {
        Owed { unheard: Some(self), token: Uuid::new_v4(), lease }
    }

    /// How many claims were left without an answer since the start.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(SeqCst)
    }

    /// Whether the database was asked for every one of them.
    pub(crate) fn is_clear(&self) -> bool {
        self.claims().iter().all(|claim| claim.asked)
    }

    fn add(&self, token: Uuid, until: Instant) {
        let mut claims = self.claims();
        claims.push(Claim { token, until, asked: false });
        self.count.fetch_add(1, SeqCst);
        drop(claims);
        self.added.notify_one();
    }

    /// Those that may hold something; first those that were never asked for, then the newest.
    fn open(&self, now: Instant) -> Vec<Uuid> {
        let mut claims = self.claims();
        claims.retain(|claim| claim.until > now);
        let (asked, new): (Vec<&Claim>, Vec<_>) =
            claims.iter().rev().partition(|claim| claim.asked);
        new.into_iter().chain(asked).take(BATCH_MAX).map(|claim| claim.token).collect()
    }

    /// The database answered for these, and something was there of those: a claim is there as a whole or not at all.
    fn asked(&self, tokens: &[Uuid], found: &[Uuid]) {
        let mut claims = self.claims();
        claims.retain(|claim| !found.contains(&claim.token));
        for claim in claims.iter_mut().filter(|claim| tokens.contains(&claim.token)) {
            claim.asked = true;
        }
    }

    fn claims(&self) -> MutexGuard<'_, Vec<Claim>> {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A claim that is under way.
pub(crate) struct Owed<'a> {
    unheard: Option<&'a Unheard>,
    token: Uuid,
    lease: Duration,
}

impl Owed<'_> {
    pub(crate) fn token(&self) -> Uuid {
        self.token
    }

    /// What it took is known, or it took nothing.
    pub(crate) fn answered(mut self) {
        self.unheard = None;
    }
}

impl Drop for Owed<'_> {
    fn drop(&mut self) {
        if let Some(unheard) = self.unheard {
            unheard.add(self.token, Instant::now() + self.lease + RETURNED_AFTER);
        }
    }
}

/// Until the worker has settled everything.
pub(crate) async fn run(shared: Arc<Shared>) {
    let finish = shared.signals.finish.clone();
    finish.run_until_cancelled(look(&shared)).await;
}

async fn look(shared: &Shared) {
    let longest = (shared.settings.lease / 6).max(FIRST_PAUSE);
    let mut pauses = Backoff::new(FIRST_PAUSE, longest);
    loop {
        let added = shared.unheard.added.notified();
        let more = if give_back(shared).await {
            tokio::time::timeout(pauses.next(), added).await.is_ok()
        } else {
            added.await;
            true
        };
        if more {
            pauses.reset();
        }
    }
}

/// One look; whether another one is needed.
pub(crate) async fn give_back(shared: &Shared) -> bool {
    let tokens = shared.unheard.open(Instant::now());
    if tokens.is_empty() {
        return false;
    }
    match release(shared, &tokens).await {
        Ok((found, jobs)) => {
            shared.unheard.asked(&tokens, &found);
            if jobs > 0 {
                tracing::info!(jobs, "gave back what claims without an answer had taken");
                add(&shared.stats.released, jobs);
                shared.wake_all();
            }
            shared.ledger.shrunk.notify_waiters(); // whoever waits to be alone looks again
        }
        // while the database is away, the claims themselves say so
        Err(error) if error.is_unavailable() => {
            tracing::debug!(claims = tokens.len(), %error, "no answer to a release of claims");
        }
        Err(error) => {
            add(&shared.stats.call_failures, 1);
            if !shared.connections.outage.takes(&error) {
                tracing::warn!(claims = tokens.len(), %error, hint = error.hint(), "what claims without an answer took could not be given back yet");
            }
        }
    }
    true
}

/// The tokens of which something was there, and how many jobs that was.
async fn release(shared: &Shared, tokens: &[Uuid]) -> Result<(Vec<Uuid>, usize)> {
    let parameters: [&(dyn ToSql + Sync); 2] = [&&*shared.settings.worker_id, &tokens];
    // beside heartbeats, which are as small, and never behind a long tick
    let patience = heartbeat::patience(shared.settings.lease);
    let seat = shared.heart_seat();
    let rows = shared.connections.rows(seat, patience, &statements::RELEASE, &parameters).await?;
    let (mut found, mut jobs) = (Vec::new(), 0);
    for row in rows {
        found.push(row.try_get("lease_token")?);
        jobs += usize::try_from(row.try_get::<_, i32>("jobs")?).unwrap_or(0);
    }
    Ok((found, jobs))
}

#[cfg(test)]
mod tests {
    use super::{
        super::shared::tests::{LEASE, shared},
        *,
    };

    /// One that was left without an answer.
    fn left(unheard: &Unheard) -> Uuid {
        unheard.owe(LEASE).token()
    }

    #[test]
    fn a_claim_is_asked_for_until_its_lease_must_be_over() {
        let (unheard, now) = (Unheard::default(), Instant::now());
        let token = left(&unheard);
        assert_eq!(unheard.open(now), [token]);
        unheard.asked(&[token], &[]);
        assert_eq!(unheard.open(now + LEASE), [token], "it was not there yet");
        assert!(unheard.open(Instant::now() + LEASE + RETURNED_AFTER).is_empty());
    }

    #[test]
    fn a_claim_that_was_there_is_not_asked_for_again() {
        let (unheard, now) = (Unheard::default(), Instant::now());
        let (first, second) = (left(&unheard), left(&unheard));
        unheard.asked(&[first, second], &[second]);
        assert_eq!(unheard.open(now), [first]);
    }

    #[test]
    fn an_answered_claim_is_owed_nothing() {
        let unheard = Unheard::default();
        unheard.owe(LEASE).answered();
        assert!(unheard.open(Instant::now()).is_empty());
        assert_eq!(unheard.count(), 0);
    }

    #[tokio::test]
    async fn a_drain_does_not_end_beside_a_claim_without_an_answer() {
        let mut shared = shared();
        Arc::get_mut(&mut shared).unwrap().settings.drain = true;
        let drained = &shared.signals.drained;
        // both are under way when one of them is lost; the other one found nothing
        let (lost, empty) = (shared.before_claim(0), shared.before_claim(0));
        let token = left(&shared.unheard);
        assert!(shared.claim_failed(&lost), "what it took may come back");
        shared.after_claim(0, &empty, 0);
        assert!(!drained.is_cancelled(), "it was sent before");
        let early = shared.before_claim(0);
        shared.unheard.asked(&[token], &[]);
        shared.after_claim(0, &early, 0);
        assert!(!drained.is_cancelled(), "nobody had asked for it then");
        let late = shared.before_claim(0);
        shared.after_claim(0, &late, 0);
        assert!(!drained.is_cancelled(), "nobody has asked for suspects");
        assert!(shared.only_suspects_left());
        shared.after_claim(1, &late, 0);
        assert!(drained.is_cancelled());
    }

    #[test]
    fn those_that_were_never_asked_for_come_first_and_keep_it_from_being_clear() {
        let (unheard, now) = (Unheard::default(), Instant::now());
        assert!(unheard.is_clear());
        let old = left(&unheard);
        unheard.asked(&[old], &[]);
        assert!(unheard.is_clear());
        let (first, second) = (left(&unheard), left(&unheard));
        assert!(!unheard.is_clear());
        assert_eq!(unheard.open(now), [second, first, old]);
        let many: Vec<Uuid> = (0..BATCH_MAX).map(|_| left(&unheard)).collect();
        assert_eq!(unheard.open(now).len(), BATCH_MAX);
        unheard.asked(&many, &[]);
        assert_eq!(unheard.open(now)[..2], [second, first], "however many were asked for since");
        assert_eq!(unheard.count(), 3 + BATCH_MAX as u64);
    }
}
