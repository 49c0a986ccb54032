//! What all tasks of one worker have in common: its settings, its connections, what it holds, and
//! the signals between the tasks. It knows none of the tasks.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::SeqCst},
};

use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

use crate::{
    client::Client,
    worker::{
        connections::Connections,
        drain::Drain,
        held::{ledger::Ledger, lost_claims::LostClaims, put_off::PutOff},
        log::{attempt_log::AttemptLog, tenant_labels::TenantLabels},
        queue::{run_times::RunTimes, subscription::Subscription, suspects::Suspects},
        registry::Registry,
        settings::Settings,
        signals::{Activity, MaintenanceSignals, Signals},
        stats::Stats,
    },
};

/// What the tasks of one worker have in common.
pub(crate) struct Context {
    pub(crate) client: Client,
    pub(crate) settings: Settings,
    pub(crate) registry: Registry,
    pub(crate) types: Vec<String>,
    pub(crate) subscriptions: Vec<Arc<Subscription>>,
    pub(crate) connections: Connections,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) lost_claims: Arc<LostClaims>,
    pub(crate) put_off: PutOff,
    pub(crate) suspects: Suspects,
    pub(crate) run_times: RunTimes,
    pub(crate) drain: Drain,
    pub(crate) signals: Signals,
    pub(crate) maintenance: MaintenanceSignals,
    pub(crate) activity: Activity,
    listening: AtomicBool,
    /// Notified when a task wants to claim and the connection of the heartbeat is not there.
    pub(crate) heartbeat_wanted: Notify,
    /// Notified when a job that some worker runs is to be cancelled.
    pub(crate) cancel_asked: Notify,
    /// Notified when a claim was answered.
    pub(crate) claim_answered: Notify,
    pub(crate) attempt_log: AttemptLog,
    pub(crate) tenant_labels: Arc<TenantLabels>,
    pub(crate) stats: Arc<Stats>,
    /// The tasks that run handlers.
    pub(crate) slots: TaskTracker,
}

impl Context {
    pub(crate) fn new(
        client: Client,
        settings: Settings,
        registry: Registry,
        subscriptions: Vec<Arc<Subscription>>,
    ) -> Self {
        let (ledger, lost_claims): (Arc<Ledger>, Arc<LostClaims>) = Default::default();
        let (signals, tenant_labels) = (Signals::default(), Arc::<TenantLabels>::default());
        let drain = Drain::new(
            settings.drain,
            Arc::clone(&ledger),
            Arc::clone(&lost_claims),
            subscriptions.clone(),
            signals.drained.clone(),
        );
        Self {
            connections: Connections::new(
                client.clone(),
                settings.seats(),
                settings.heartbeat_seat(),
            ),
            types: registry.types(),
            ledger,
            lost_claims,
            put_off: PutOff::default(),
            suspects: Suspects::new(subscriptions.len()),
            run_times: RunTimes::default(),
            drain,
            signals,
            maintenance: MaintenanceSignals::default(),
            activity: Activity::default(),
            listening: AtomicBool::new(false),
            heartbeat_wanted: Notify::new(),
            cancel_asked: Notify::new(),
            claim_answered: Notify::new(),
            attempt_log: AttemptLog::new(settings.log_causes, Arc::clone(&tenant_labels)),
            tenant_labels,
            stats: Arc::default(),
            slots: TaskTracker::new(),
            client,
            settings,
            registry,
            subscriptions,
        }
    }

    /// How many connections the worker uses, where there is room for them.
    pub(crate) fn connections_wanted(&self) -> usize {
        let listens = self.settings.listen && self.client.endpoint_to_listen().is_some();
        self.settings.connections + 1 + usize::from(self.settings.maintain) + usize::from(listens)
    }

    /// Whether the connection of the heartbeat is open, without which nothing is claimed.
    pub(crate) fn holds_heartbeat(&self) -> bool {
        self.connections.holds(self.settings.heartbeat_seat())
    }

    /// Lets every queue look for jobs.
    pub(crate) fn wake_all(&self) {
        self.activity.note();
        for subscription in &self.subscriptions {
            subscription.wake();
        }
    }

    /// Lets every queue claim again.
    pub(crate) fn unmute_all(&self) {
        for subscription in &self.subscriptions {
            subscription.unmute();
        }
    }

    /// Notes that a claim found jobs.
    pub(crate) fn jobs_found(&self) {
        self.maintenance.set_busy();
        self.activity.note();
    }

    /// Notes whether dispatches wake this worker from now on.
    pub(crate) fn listen(&self, listening: bool) {
        self.listening.store(listening, SeqCst);
        for subscription in &self.subscriptions {
            subscription.listen(listening);
        }
        self.maintenance.set_due(); // it may have missed a notification meanwhile
    }

    pub(crate) fn is_listening(&self) -> bool {
        self.listening.load(SeqCst)
    }

    /// Notes that so many wakes came that some may have been left out.
    pub(crate) fn crowded(&self) {
        for subscription in &self.subscriptions {
            subscription.crowded();
        }
        self.maintenance.set_busy(); // nor need it have heard of what will be due
    }

    /// Whether nothing is held, nothing is under way, and no lost claim is unasked for.
    pub(crate) fn is_still(&self) -> bool {
        self.ledger.len() == 0
            && self.lost_claims.is_clear()
            && self.subscriptions.iter().all(|subscription| subscription.is_still())
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Context").field("settings", &self.settings).finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::{
        future::Future,
        time::{Duration, Instant},
    };

    use deadpool_postgres::{Manager, Pool};
    use serde_json::value::RawValue;
    use tokio_postgres::{Config, NoTls};

    use super::*;
    use crate::{
        protocol::outcome::{JobError, Outcome},
        worker::{
            attempt::Attempt,
            claimed_job::ClaimedJob,
            handler::Bound,
            held::hold::tests::hold,
            queue::pacing::Bounds,
            registry::Entry,
            settings::tests::{LEASE, settings},
        },
    };

    /// One queue of which four jobs run at once.
    pub(crate) fn queue() -> Arc<Subscription> {
        let second = Duration::from_secs(1);
        let bounds = Bounds {
            concurrency: 4,
            batch_max: 500,
            lease: LEASE,
            pause_max: second,
            woken_pause_max: second,
        };
        Arc::new(Subscription::new("default".into(), bounds))
    }

    /// A worker of one queue without a database: what it would send stays in its outbox.
    pub(crate) fn context() -> Arc<Context> {
        let manager = Manager::new(Config::new(), NoTls);
        let client = Client::from_pool(Pool::builder(manager).max_size(1).build().unwrap());
        Arc::new(Context::new(client, settings(), Registry::default(), vec![queue()]))
    }

    /// A claimed job that a function runs; it counts as held.
    pub(crate) fn claimed_job<Fut>(
        context: &Context,
        run: impl Fn(Attempt) -> Fut + Send + Sync + 'static,
    ) -> ClaimedJob
    where
        Fut: Future<Output = Result<Outcome, JobError>> + Send + 'static,
    {
        let hold = hold(1, Instant::now(), LEASE);
        context.ledger.add([Arc::clone(&hold)].into_iter());
        let handler = Bound(Arc::new(move |_, attempt| Box::pin(run(attempt))));
        let entry = Entry { job_type: "test".into(), timeout: None, handler };
        let payload = RawValue::from_string("{}".into()).unwrap();
        ClaimedJob { hold, payload, timeout: None, entry: Some(Arc::new(entry)) }
    }
}
