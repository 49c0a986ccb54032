//! Everything that this worker holds, in whatever stage it is: what the heartbeat extends and a
//! shutdown looks at.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::Notify;
use uuid::Uuid;

use crate::worker::held::hold::{Hold, HoldKey, Stage};

/// The jobs that a worker holds.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    holds: Mutex<HashMap<HoldKey, Arc<Hold>>>,
    /// Notified whenever something was removed.
    pub(crate) shrunk: Notify,
}

impl Ledger {
    pub(crate) fn add(&self, holds: impl Iterator<Item = Arc<Hold>>) {
        self.lock().extend(holds.map(|hold| (hold.key(), hold)));
    }

    pub(crate) fn remove<'a>(&self, holds: impl Iterator<Item = &'a Hold>) {
        {
            let mut held = self.lock();
            for hold in holds {
                held.remove(&hold.key());
            }
        }
        self.shrunk.notify_waiters();
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    pub(crate) fn contains(&self, hold: &Hold) -> bool {
        self.lock().contains_key(&hold.key())
    }

    /// The jobs whose lease has used up more than a third of its time.
    pub(crate) fn due(&self, now: Instant, lease: Duration) -> Vec<Arc<Hold>> {
        self.select(|hold| hold.lease_ends() < now + lease * 2 / 3)
    }

    /// The jobs that run and whose lease will be over this soon.
    pub(crate) fn endangered(&self, now: Instant, margin: Duration) -> Vec<Arc<Hold>> {
        self.select(|hold| hold.stage() == Stage::Running && hold.lease_ends() < now + margin)
    }

    /// Tells the handlers of these jobs that the jobs are to be cancelled.
    pub(crate) fn cancel(&self, ids: &[Uuid]) {
        if !ids.is_empty() {
            self.select(|hold| ids.contains(&hold.id)).iter().for_each(|hold| hold.cancel());
        }
    }

    /// Everything that is held.
    pub(crate) fn all(&self) -> Vec<Arc<Hold>> {
        self.select(|_| true)
    }

    fn select(&self, wanted: impl Fn(&Hold) -> bool) -> Vec<Arc<Hold>> {
        self.lock().values().filter(|hold| wanted(hold)).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<HoldKey, Arc<Hold>>> {
        self.holds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker::held::hold::tests::{hold, hold_of};

    #[test]
    fn leases_are_due_after_a_third_and_endangered_before_their_end() {
        let (ledger, start, lease) = (Ledger::default(), Instant::now(), Duration::from_secs(30));
        let held = hold(1, start, lease);
        held.advance(Stage::Running);
        ledger.add([Arc::clone(&held)].into_iter());
        let after = |seconds| start + Duration::from_secs(seconds);
        assert!(ledger.due(after(9), lease).is_empty());
        assert_eq!(ledger.due(after(11), lease).len(), 1);
        let margin = Duration::from_secs(10);
        assert!(ledger.endangered(after(19), margin).is_empty());
        assert_eq!(ledger.endangered(after(21), margin).len(), 1);
        held.extend(after(21), lease);
        assert!(ledger.due(after(22), lease).is_empty());
        ledger.remove([&*held].into_iter());
        assert_eq!(ledger.len(), 0);
    }

    #[test]
    fn two_attempts_of_one_job_are_two_entries() {
        let ledger = Ledger::default();
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let first = hold_of(Uuid::nil(), 1, start, second);
        let again = hold_of(Uuid::nil(), 2, start, second);
        ledger.add([Arc::clone(&first), again].into_iter());
        assert_eq!(ledger.len(), 2);
        ledger.remove([&*first].into_iter());
        assert_eq!(ledger.all()[0].attempt, 2);
    }
}
