//! Claims whose answer was lost: the connection broke on the way, or the call took too long. The
//! server may have carried them out all the same. No handler runs what they took, and at the end of
//! its lease it would count as lost, which a job survives twice; so it is given back
//! (`tasks/give_back.rs`).
//!
//! A claim may still be under way when the database is first asked for it, and be visible only
//! later. So it is asked for until something of it was there, or its lease must be over: a claim
//! that takes longer than that refuses itself.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use tokio::sync::Notify;
use uuid::Uuid;

/// How many claims one call asks for at most.
const BATCH_MAX: usize = 1000;
/// How long after its end a lease may still be found: ticks come every 5 s at least.
const RETURNED_AFTER: Duration = Duration::from_secs(6);

/// The lost claims of one worker.
#[derive(Debug, Default)]
pub(crate) struct LostClaims {
    claims: Mutex<Vec<Claim>>,
    /// How many there were since the start.
    count: AtomicU64,
    /// Notified when a claim was lost.
    pub(crate) added: Notify,
}

#[derive(Debug)]
struct Claim {
    /// The lease token of everything that it took.
    token: Uuid,
    /// When it holds nothing any more.
    until: Instant,
    /// Whether the database has answered for it once.
    asked: bool,
}

impl LostClaims {
    /// Begins to watch a claim, just before it is sent. Without [`SentClaim::answered`] it counts
    /// as lost when the value is dropped.
    pub(crate) fn sent(&self, lease: Duration) -> SentClaim<'_> {
        SentClaim { lost_claims: Some(self), token: Uuid::new_v4(), lease }
    }

    /// How many claims were lost since the start.
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

    /// The tokens of those that may hold something: first those that were never asked for, then
    /// the newest.
    pub(crate) fn open(&self, now: Instant) -> Vec<Uuid> {
        let mut claims = self.claims();
        claims.retain(|claim| claim.until > now);
        let (asked, new): (Vec<&Claim>, Vec<_>) =
            claims.iter().rev().partition(|claim| claim.asked);
        new.into_iter().chain(asked).take(BATCH_MAX).map(|claim| claim.token).collect()
    }

    /// Notes that the database answered for these, and had something of those that it found: a
    /// claim is there as a whole or not at all.
    pub(crate) fn asked(&self, tokens: &[Uuid], found: &[Uuid]) {
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
pub(crate) struct SentClaim<'a> {
    lost_claims: Option<&'a LostClaims>,
    token: Uuid,
    lease: Duration,
}

impl SentClaim<'_> {
    /// The lease token that it gives to everything it takes.
    pub(crate) fn token(&self) -> Uuid {
        self.token
    }

    /// Notes that it is known what the claim took, or that it took nothing.
    pub(crate) fn answered(mut self) {
        self.lost_claims = None;
    }
}

impl Drop for SentClaim<'_> {
    fn drop(&mut self) {
        if let Some(lost_claims) = self.lost_claims {
            lost_claims.add(self.token, Instant::now() + self.lease + RETURNED_AFTER);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(30);

    /// Loses one claim.
    fn lose(lost_claims: &LostClaims) -> Uuid {
        lost_claims.sent(LEASE).token()
    }

    #[test]
    fn a_claim_is_asked_for_until_its_lease_must_be_over() {
        let (lost_claims, now) = (LostClaims::default(), Instant::now());
        let token = lose(&lost_claims);
        assert_eq!(lost_claims.open(now), [token]);
        lost_claims.asked(&[token], &[]);
        assert_eq!(lost_claims.open(now + LEASE), [token], "it was not there yet");
        assert!(lost_claims.open(Instant::now() + LEASE + RETURNED_AFTER).is_empty());
    }

    #[test]
    fn a_claim_that_was_there_is_not_asked_for_again() {
        let (lost_claims, now) = (LostClaims::default(), Instant::now());
        let (first, second) = (lose(&lost_claims), lose(&lost_claims));
        lost_claims.asked(&[first, second], &[second]);
        assert_eq!(lost_claims.open(now), [first]);
    }

    #[test]
    fn an_answered_claim_is_not_lost() {
        let lost_claims = LostClaims::default();
        lost_claims.sent(LEASE).answered();
        assert!(lost_claims.open(Instant::now()).is_empty());
        assert_eq!(lost_claims.count(), 0);
    }

    #[test]
    fn those_that_were_never_asked_for_come_first_and_keep_it_from_being_clear() {
        let (lost_claims, now) = (LostClaims::default(), Instant::now());
        assert!(lost_claims.is_clear());
        let old = lose(&lost_claims);
        lost_claims.asked(&[old], &[]);
        assert!(lost_claims.is_clear());
        let (first, second) = (lose(&lost_claims), lose(&lost_claims));
        assert!(!lost_claims.is_clear());
        assert_eq!(lost_claims.open(now), [second, first, old]);
        let many: Vec<Uuid> = (0..BATCH_MAX).map(|_| lose(&lost_claims)).collect();
        assert_eq!(lost_claims.open(now).len(), BATCH_MAX);
        lost_claims.asked(&many, &[]);
        assert_eq!(
            lost_claims.open(now)[..2],
            [second, first],
            "however many were asked for since"
        );
        assert_eq!(lost_claims.count(), 3 + BATCH_MAX as u64);
    }
}
