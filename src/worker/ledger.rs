//! Everything that this worker holds, whatever stage it is in: what the heartbeat extends and a shutdown looks at.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use super::hold::{Hold, HoldKey, Stage};

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    holds: Mutex<HashMap<HoldKey, Arc<Hold>>>,
    /// Told whenever something was removed.
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

    /// Those whose lease has used up more than a third of its time.
    pub(crate) fn due(&self, now: Instant, lease: Duration) -> Vec<Arc<Hold>> {
        self.select(|hold| hold.lease_ends() < now + lease * 2 / 3)
    }

    /// Those that run and whose lease will be over this soon.
    pub(crate) fn endangered(&self, now: Instant, margin: Duration) -> Vec<Arc<Hold>> {
        self.select(|hold| hold.stage() == Stage::Running && hold.lease_ends() < now + margin)
    }

    /// Everything.
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
    use uuid::Uuid;

    use super::{
        super::hold::tests::{hold, hold_of},
        *,
    };

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
