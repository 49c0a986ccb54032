//! What all tasks of one worker share.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    attempt_log::AttemptLog, connections::Connections, given_back::GivenBack, ledger::Ledger,
    registry::Registry, sleep::Rouse, solo::Solo, stats::Stats, subscription::Subscription,
    ticker::Upkeep, unheard::Unheard,
};
use crate::client::Client;

/// Validated settings of a worker.
#[allow(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) worker_id: Arc<str>,
    pub(crate) lease: Duration,
    pub(crate) grace: Duration,
    pub(crate) stop_within: Duration,
    pub(crate) poll_interval: Option<Duration>,
    pub(crate) batch_max: usize,
    pub(crate) connections: usize,
    pub(crate) attempt_timeout: Option<Duration>,
    pub(crate) listen: bool,
    pub(crate) maintain: bool,
    pub(crate) drain: bool,
    pub(crate) sleep_after: Option<Duration>,
    /// Whether the log tells the causes of a handler's error beside its message.
    pub(crate) log_causes: bool,
}

/// The longest pause of a worker that nothing wakes.
const POLLED_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause of a worker that dispatches wake.
const WOKEN_PAUSE: Duration = Duration::from_secs(90);
/// A worker that ends when its queues are empty should notice soon.
const DRAIN_PAUSE: Duration = Duration::from_millis(50);

impl Settings {
    /// The longest pause between claims of an idle queue while nothing wakes the worker.
    pub(crate) fn polled_pause(&self) -> Duration {
        self.pause(POLLED_PAUSE)
    }

    /// The longest one while dispatches wake it.
    pub(crate) fn woken_pause(&self) -> Duration {
        self.pause(WOKEN_PAUSE)
    }

    fn pause(&self, usual: Duration) -> Duration {
        let longest = self.poll_interval.unwrap_or(usual);
        if self.drain { longest.min(DRAIN_PAUSE) } else { longest }
    }
}

/// The ways in which a worker's tasks are told to end, in this order.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    /// Shutting down: no more claims, wakes, ticks.
    pub(crate) closing: CancellationToken,
    /// The grace period is over, and handlers had time enough to stop: they are dropped.
    pub(crate) kill: CancellationToken,
    /// Everything is settled, or never will be: nothing is sent any more.
    pub(crate) finish: CancellationToken,
    /// A drain found the queues empty.
    pub(crate) drained: CancellationToken,
}

pub(crate) struct Shared {
    pub(crate) client: Client,
    pub(crate) settings: Settings,
    pub(crate) registry: Registry,
    pub(crate) types: Vec<String>,
    pub(crate) subscriptions: Vec<Arc<Subscription>>,
    /// Two more than the exchangers use: the heartbeat waits neither behind a large batch nor behind maintenance.
    pub(crate) connections: Connections,
    pub(crate) ledger: Ledger,
    pub(crate) solo: Solo,
    pub(crate) unheard: Unheard,
    pub(crate) upkeep: Upkeep,
    pub(crate) rouse: Rouse,
    listening: AtomicBool,
    pub(crate) given_back: GivenBack,
    pub(crate) attempt_log: AttemptLog,
    /// Somebody wanted to claim, and the connection of the heartbeat was not there.
    pub(crate) heart_wanted: Notify,
    /// Somebody asked to cancel a job that some worker runs.
    pub(crate) cancel_told: Notify,
    pub(crate) stats: Arc<Stats>,
    pub(crate) signals: Signals,
    /// The tasks that run handlers.
    pub(crate) slots: TaskTracker,
    drain: Drain,
}

impl Shared {
    pub(crate) fn new(
        client: Client,
        settings: Settings,
        registry: Registry,
        subscriptions: Vec<Arc<Subscription>>,
    ) -> Self {
        Self {
            connections: Connections::new(
                client.clone(),
                settings.connections + 2,
                settings.connections,
            ),
            types: registry.types(),
            ledger: Ledger::default(),
            solo: Solo::new(subscriptions.len()),
            unheard: Unheard::default(),
            upkeep: Upkeep::default(),
            rouse: Rouse::default(),
            listening: AtomicBool::new(false),
            given_back: GivenBack::default(),
            attempt_log: AttemptLog::new(settings.log_causes),
            heart_wanted: Notify::new(),
            cancel_told: Notify::new(),
            stats: Arc::default(),
            signals: Signals::default(),
            slots: TaskTracker::new(),
            drain: Drain::new(subscriptions.len() + 1), // suspects are asked for apart
            client,
            settings,
            registry,
            subscriptions,
        }
    }

    /// The connection of the heartbeat.
    pub(crate) fn heart_seat(&self) -> usize {
        self.settings.connections
    }

    /// The connection of maintenance.
    pub(crate) fn upkeep_seat(&self) -> usize {
        self.settings.connections + 1
    }

    /// How many connections it uses, where there is room for them.
    pub(crate) fn connections_wanted(&self) -> usize {
        let listens = self.settings.listen && self.client.endpoint_to_listen().is_some();
        self.settings.connections + 1 + usize::from(self.settings.maintain) + usize::from(listens)
    }

    /// How long a call may take before its connection is given up: about a lease, since what is claimed later than that is
    /// lost, but not half a day for long leases.
    pub(crate) fn patience(&self) -> Duration {
        self.settings.lease.clamp(Duration::from_secs(10), Duration::from_secs(60))
    }

    pub(crate) fn wake_all(&self) {
        self.rouse.stir();
        for subscription in &self.subscriptions {
            subscription.wake();
        }
    }

    /// Dispatches wake this worker from now on, or do not any more.
    pub(crate) fn listen(&self, listening: bool) {
        self.listening.store(listening, SeqCst);
        for subscription in &self.subscriptions {
            subscription.listen(listening);
        }
        self.upkeep.due(); // it may have missed what was told meanwhile
    }

    pub(crate) fn is_listening(&self) -> bool {
        self.listening.load(SeqCst)
    }

    /// So many wakes came that some may have been left out.
    pub(crate) fn crowded(&self) {
        for subscription in &self.subscriptions {
            subscription.crowded();
        }
        self.upkeep.busy(); // nor need it have heard of what will be due
    }

    /// In a drain: whether every queue gave nothing to a claim, so that only suspects may be left.
    pub(crate) fn only_suspects_left(&self) -> bool {
        self.drain.all_empty(self.subscriptions.len())
    }

    /// To be called before a claim is sent, with the number of settlements that travel with it.
    pub(crate) fn before_claim(&self, settlements: usize) -> ClaimMark {
        // read in this order: a claim of another queue counts its jobs in before it says that it found some
        let seen = self.drain.finds.load(SeqCst);
        let (unheard, heard) = (self.unheard.count(), self.unheard.is_clear());
        ClaimMark { finds: seen, unheard, alone: heard && self.ledger.len() == settlements }
    }

    /// To be called when a claim failed, before its queue counts as still. Whether claims were left without an answer since it was
    /// sent: what they took may come back.
    pub(crate) fn claim_failed(&self, mark: &ClaimMark) -> bool {
        let left = self.unheard.count() > mark.unheard;
        self.drain.finds.fetch_add(u64::from(left), SeqCst);
        left
    }

    /// To be called when a claim was answered and its jobs are in the ledger; suspects count as one more queue. In a drain, all queues are empty when every
    /// one of them gave nothing to a claim that was sent while nothing was held, and nothing was found since.
    pub(crate) fn after_claim(&self, queue: usize, mark: &ClaimMark, got: usize) {
        if got > 0 {
            self.drain.finds.fetch_add(1, SeqCst);
            self.upkeep.busy();
            self.rouse.stir();
            return;
        }
        if !self.settings.drain || !mark.alone {
            return;
        }
        self.drain.empty[queue].store(true, SeqCst);
        self.drain.empty_at[queue].store(mark.finds, SeqCst);
        if self.drain.all_empty(self.drain.empty.len())
            && self.unheard.is_clear()
            && self.subscriptions.iter().all(|subscription| subscription.is_still())
        {
            self.signals.drained.cancel();
        }
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Shared").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// What was known when a claim was sent.
pub(crate) struct ClaimMark {
    finds: u64,
    /// How many claims had been left without an answer.
    unheard: u64,
    alone: bool,
}

/// Whether the queues are empty, for a worker that stops then.
struct Drain {
    /// How many claims found something.
    finds: AtomicU64,
    /// For every queue: whether a claim found it empty, and the count of finds when that claim was sent.
    empty: Vec<AtomicBool>,
    empty_at: Vec<AtomicU64>,
}

impl Drain {
    fn new(queues: usize) -> Self {
        Self {
            finds: AtomicU64::new(0),
            empty: (0..queues).map(|_| AtomicBool::new(false)).collect(),
            empty_at: (0..queues).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// Whether the first so many gave nothing, and nothing was found since.
    fn all_empty(&self, queues: usize) -> bool {
        let finds = self.finds.load(SeqCst);
        self.empty[..queues].iter().all(|empty| empty.load(SeqCst))
            && self.empty_at[..queues].iter().all(|at| at.load(SeqCst) == finds)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::future::Future;

    use deadpool_postgres::{Manager, Pool};
    use serde_json::value::RawValue;
    use tokio_postgres::{Config, NoTls};

    use super::{
        super::{
            attempt::Attempt, claimed::Work, handler::Bound, hold::tests::hold, pacing::Bounds,
            registry::Entry,
        },
        *,
    };
    use crate::outcome::{JobError, Outcome};

    pub(crate) const LEASE: Duration = Duration::from_secs(30);

    /// A worker of one queue without a database: what it would send stays in its outbox.
    pub(crate) fn shared() -> Arc<Shared> {
        let manager = Manager::new(Config::new(), NoTls);
        let client = Client::from_pool(Pool::builder(manager).max_size(1).build().unwrap());
        let settings = Settings {
            worker_id: "test".into(),
            lease: LEASE,
            grace: Duration::ZERO,
            stop_within: Duration::ZERO,
            poll_interval: None,
            batch_max: 500,
            connections: 1,
            attempt_timeout: None,
            listen: false,
            maintain: false,
            drain: false,
            sleep_after: None,
            log_causes: true,
        };
        let second = Duration::from_secs(1);
        let bounds = Bounds {
            concurrency: 4,
            batch_max: 500,
            lease: LEASE,
            pause_max: second,
            woken_pause_max: second,
        };
        let subscription = Arc::new(Subscription::new("default".into(), bounds));
        Arc::new(Shared::new(client, settings, Registry::default(), vec![subscription]))
    }

    #[test]
    fn a_call_may_take_about_a_lease_but_neither_seconds_nor_hours() {
        let patience = |seconds| {
            let mut shared = shared();
            let lease = &mut Arc::get_mut(&mut shared).unwrap().settings.lease;
            *lease = Duration::from_secs(seconds);
            shared.patience().as_secs()
        };
        assert_eq!([1, 30, 86_400].map(patience), [10, 30, 60]);
    }

    /// A claimed job that a function runs; it counts as held.
    pub(crate) fn work<Fut>(
        shared: &Shared,
        run: impl Fn(Attempt) -> Fut + Send + Sync + 'static,
    ) -> Work
    where
        Fut: Future<Output = Result<Outcome, JobError>> + Send + 'static,
    {
        let hold = hold(1, std::time::Instant::now(), LEASE);
        shared.ledger.add([Arc::clone(&hold)].into_iter());
        let handler = Bound(Arc::new(move |_, attempt| Box::pin(run(attempt))));
        let entry = Entry { job_type: "test".into(), timeout: None, handler };
        let payload = RawValue::from_string("{}".into()).unwrap();
        Work { hold, payload, timeout: None, entry: Some(Arc::new(entry)) }
    }
}
