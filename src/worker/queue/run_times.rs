//! What handlers took, by queue and tenant, since the last report. Only of queues that are fair by
//! seconds: for all others a run is not even looked at.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use uuid::Uuid;

use crate::worker::held::hold::Hold;

/// How many pairs of queue and tenant are kept while no report gets through.
const KEPT_MAX: usize = 10_000;
/// How many go into one report; the others wait for the next one.
const REPORTED_MAX: usize = 1_000;

/// What the jobs of one tenant in one queue took.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RunTime {
    pub(crate) queue: Arc<str>,
    pub(crate) tenant: Uuid,
    pub(crate) jobs: u32,
    pub(crate) spent: Duration,
}

/// What handlers took since the last report.
#[derive(Debug, Default)]
pub(crate) struct RunTimes {
    /// Whether any queue is fair by seconds, so that usually a run looks at no lock.
    wanted: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The queues that are fair by seconds.
    queues: Vec<String>,
    spent: HashMap<(Arc<str>, Uuid), (u32, Duration)>,
}

impl State {
    fn add(&mut self, queue: &Arc<str>, tenant: Uuid, jobs: u32, spent: Duration) {
        let key = (Arc::clone(queue), tenant);
        if self.spent.len() >= KEPT_MAX && !self.spent.contains_key(&key) {
            return;
        }
        let entry = self.spent.entry(key).or_default();
        entry.0 = entry.0.saturating_add(jobs);
        entry.1 = entry.1.saturating_add(spent);
    }
}

impl RunTimes {
    /// Sets which queues are fair by seconds, and forgets what was kept of others.
    pub(crate) fn want(&self, queues: Vec<String>) {
        let mut state = self.lock();
        state.spent.retain(|(queue, _), _| queues.iter().any(|wanted| **wanted == **queue));
        self.wanted.store(!queues.is_empty(), SeqCst);
        state.queues = queues;
    }

    /// Whether any queue is fair by seconds.
    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted.load(SeqCst)
    }

    /// Counts what a handler has run for so far, or in all, less what is counted already.
    pub(crate) fn add(&self, hold: &Hold, ran: Duration) {
        if !self.is_wanted() {
            return;
        }
        let mut state = self.lock();
        if state.queues.iter().any(|queue| **queue == *hold.queue) {
            let (jobs, spent) = hold.uncounted(ran);
            state.add(&hold.queue, hold.tenant, jobs, spent);
        }
    }

    /// Takes what is to be reported: if there is too much, what took the most time.
    pub(crate) fn take(&self) -> Vec<RunTime> {
        let mut state = self.lock();
        let all = std::mem::take(&mut state.spent).into_iter();
        let mut all: Vec<RunTime> = all
            .map(|((queue, tenant), (jobs, spent))| RunTime { queue, tenant, jobs, spent })
            .collect();
        all.sort_by_key(|item| std::cmp::Reverse(item.spent));
        for rest in all.drain(REPORTED_MAX.min(all.len())..) {
            state.add(&rest.queue, rest.tenant, rest.jobs, rest.spent);
        }
        all
    }

    /// Keeps what could not be reported for the next report.
    pub(crate) fn give_back(&self, items: &[RunTime]) {
        let mut state = self.lock();
        for item in items {
            state.add(&item.queue, item.tenant, item.jobs, item.spent);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::worker::held::hold::tests::hold;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn runs_are_summed_by_tenant_in_queues_that_are_fair_by_seconds_only() {
        let times = RunTimes::default();
        let one = || hold(1, Instant::now(), SECOND);
        times.add(&one(), SECOND);
        assert_eq!(times.take(), []);
        times.want(vec!["other".to_owned()]);
        times.add(&one(), SECOND);
        assert_eq!(times.take(), []);
        times.want(vec!["default".to_owned()]);
        times.add(&one(), SECOND);
        times.add(&one(), 2 * SECOND);
        let taken = times.take();
        assert_eq!((taken.len(), taken[0].jobs, taken[0].spent), (1, 2, 3 * SECOND));
        times.give_back(&taken);
        times.add(&one(), SECOND);
        assert_eq!(times.take()[0].spent, 4 * SECOND, "nothing is lost by a report that failed");
        times.give_back(&taken);
        times.want(Vec::new());
        assert_eq!(times.take(), []);
    }

    #[test]
    fn a_report_has_those_that_took_the_most_and_the_others_come_next() {
        let times = RunTimes::default();
        times.want(vec!["default".to_owned()]);
        for n in 0..2_500_u32 {
            let queue = Arc::from("default");
            let tenant = Uuid::from_u128(u128::from(n));
            times.lock().add(&queue, tenant, 1, Duration::from_millis(u64::from(n)));
        }
        let first = times.take();
        assert_eq!((first.len(), first[0].spent), (1_000, Duration::from_millis(2_499)));
        assert_eq!([times.take().len(), times.take().len(), times.take().len()], [1_000, 500, 0]);
    }
}
