//! How a worker is set up, and what it refuses.

mod check;

use std::{fmt, sync::Arc, time::Duration};

use serde::de::DeserializeOwned;

use crate::{
    client::Client,
    error::{Error, Result},
    protocol::job::Job,
    worker::{
        Worker,
        context::Context,
        handler::{Bound, Handler, States},
        queue::{pacing::Bounds, subscription::Subscription},
        registry::{Entry, Registry},
        settings::{Settings, host},
    },
};

/// Sets a [`Worker`] up. Every setting has a default but the queues and the handlers.
///
/// [`Worker::builder`] begins with a client. A program that wants to know before it connects
/// whether its settings make sense begins with [`WorkerBuilder::default`], calls
/// [`WorkerBuilder::check`], and gives it a [`WorkerBuilder::client`] then.
#[must_use = "a worker does nothing until it is built and run"]
pub struct WorkerBuilder {
    client: Option<Client>,
    worker_id: Option<String>,
    states: States,
    queues: Vec<(String, usize)>,
    handlers: Vec<Registration>,
    settings: Settings,
}

struct Registration {
    job_type: String,
    timeout: Option<Duration>,
    bind: Bind,
}

/// Gives a handler the state that it asks for.
type Bind = Box<dyn FnOnce(&str, &States) -> Result<Bound> + Send>;

impl Default for WorkerBuilder {
    fn default() -> Self {
        let settings = Settings {
            worker_id: "".into(),
            lease: Duration::from_secs(30),
            grace: Duration::from_secs(20),
            stop_within: Duration::from_secs(1),
            poll_interval: None,
            batch_max: 500,
            connections: 2,
            attempt_timeout: None,
            listen: true,
            maintain: true,
            drain: false,
            sleep_after: None,
            log_causes: true,
        };
        Self {
            client: None,
            worker_id: None,
            states: States::default(),
            queues: Vec::new(),
            handlers: Vec::new(),
            settings,
        }
    }
}

impl WorkerBuilder {
    /// Sets the database that it works for.
    pub fn client(mut self, client: Client) -> Self {
        self.client = Some(client);
        self
    }

    /// Sets what every job that it claims records as its worker: up to 255 printable characters,
    /// best unique to the process. Defaults to the machine's name, the process id and four random
    /// characters.
    pub fn worker_id(mut self, worker_id: impl Into<String>) -> Self {
        self.worker_id = Some(worker_id.into());
        self
    }

    /// Adds a value for the handlers that ask for `State<S>`, cloned for every attempt. There may
    /// be one of each type.
    pub fn state<S: Clone + Send + Sync + 'static>(mut self, state: S) -> Self {
        self.states.put(state);
        self
    }

    /// Serves a queue, with at most so many handlers at once. Its capacity is its own, however busy
    /// the others are.
    pub fn queue(mut self, queue: impl Into<String>, concurrency: usize) -> Self {
        self.queues.push((queue.into(), concurrency));
        self
    }

    /// Runs the jobs of type `J::TYPE`. A worker claims only jobs of types that it has handlers
    /// for.
    pub fn handler<J: Job, Args>(self, handler: impl Handler<J, Args>) -> Self {
        self.register(J::TYPE.into(), J::TIMEOUT, handler)
    }

    /// Runs the jobs of a type that has no [`Job`], as anything that reads their payload:
    /// [`RawJob`](super::RawJob) reads every one.
    pub fn handler_for<P, Args>(
        self,
        job_type: impl Into<String>,
        handler: impl Handler<P, Args>,
    ) -> Self
    where
        P: DeserializeOwned + Send + 'static,
    {
        self.register(job_type.into(), None, handler)
    }

    fn register<P, Args>(
        mut self,
        job_type: String,
        timeout: Option<Duration>,
        handler: impl Handler<P, Args>,
    ) -> Self {
        let bind = Box::new(move |job_type: &str, states: &States| handler.bind(job_type, states));
        self.handlers.push(Registration { job_type, timeout, bind });
        self
    }

    /// Sets how long a claim is good for without a heartbeat: 1 s to 24 h. A dead worker's jobs
    /// wait for that long, so it is better short; a heartbeat extends the leases of jobs that run
    /// for longer. Defaults to 30 s.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.settings.lease = lease;
        self
    }

    /// Sets how long a shutdown waits for running jobs, before it stops their handlers and gives
    /// them back. Defaults to 20 s.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.settings.grace = grace;
        self
    }

    /// Sets how long handlers have after the grace period, from the cancelling of
    /// [`Attempt::cancellation`](super::Attempt) until they are dropped: what they need to stop by
    /// themselves. Defaults to 1 s.
    pub fn stop_within(mut self, time: Duration) -> Self {
        self.settings.stop_within = time;
        self
    }

    /// Sets the longest pause between the claims of an idle queue: 5 ms to 1 min. The shorter it
    /// is, the sooner jobs start that no notification announced. Defaults to 1 s where nothing
    /// wakes the worker (pooled, or without [`WorkerBuilder::listen`]), and to 90 s where
    /// dispatches do.
    pub fn poll_interval(mut self, longest: Duration) -> Self {
        self.settings.poll_interval = Some(longest);
        self
    }

    /// Sets a time-out for attempts of jobs that have none, neither their own nor their type's.
    /// Defaults to none: such a job may run for as long as its lease can be extended.
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.settings.attempt_timeout = Some(timeout);
        self
    }

    /// Sets whether to hear of dispatches on a connection of its own. Without, and behind a
    /// transaction pooler, jobs are found by polling. Defaults to true.
    pub fn listen(mut self, listen: bool) -> Self {
        self.settings.listen = listen;
        self
    }

    /// Sets whether to call the database's maintenance. At least one worker of a database should.
    /// Defaults to true.
    pub fn maintain(mut self, maintain: bool) -> Self {
        self.settings.maintain = maintain;
        self
    }

    /// Sets whether to stop by itself when the queues are empty. Jobs that are due later are not
    /// waited for. Defaults to false.
    pub fn drain(mut self, drain: bool) -> Self {
        self.settings.drain = drain;
        self
    }

    /// Sets after how long without a job the worker closes all its connections and sends nothing,
    /// so that a database that is switched off while no client uses it may sleep too: 1 s to 24 h.
    /// It wakes when a job that it knew of is due or a lease ends, and when the application calls
    /// [`WorkerHandle::wake`](super::WorkerHandle::wake); a dispatch alone does not wake it then.
    /// Defaults to never.
    pub fn sleep_after(mut self, idle: Duration) -> Self {
        self.settings.sleep_after = Some(idle);
        self
    }

    /// Sets whether the log's line of a failed attempt shows the end of the causes of the handler's
    /// error beside its message. Both are the handler's own words, which are stored in any case:
    /// say no where they may hold what a log must not. Defaults to true.
    pub fn log_causes(mut self, log: bool) -> Self {
        self.settings.log_causes = log;
        self
    }

    /// Sets how many jobs one claim takes, and one call settles, at most: 1 to 1,000. Defaults to
    /// 500, which tiny jobs reach under load.
    pub fn max_batch(mut self, jobs: usize) -> Self {
        self.settings.batch_max = jobs;
        self
    }

    /// Sets how many connections claims and settlements use: 1 to 8. Defaults to 2, so that one
    /// round trip is under way while the jobs of another run; one more is for heartbeats, one for
    /// maintenance, and one for listening. Where the server has no room for all of them, that of
    /// the heartbeats and one more will do.
    pub fn connections(mut self, connections: usize) -> Self {
        self.settings.connections = connections;
        self
    }

    /// Refuses what [`WorkerBuilder::build`] would refuse, as far as that can be known without a
    /// client and without binding handlers to their state.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) names the setting that is
    /// missing, out of its limits or given twice.
    pub fn check(&self) -> Result<()> {
        check::settings(&self.settings)?;
        check::queues(&self.queues)?;
        check::types(self.handlers.iter().map(|handler| handler.job_type.as_str()))?;
        self.worker_id.as_deref().map_or(Ok(()), check::worker_id)
    }

    /// Builds the worker, ready to run.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) names the setting that is
    /// missing, out of its limits or given twice.
    pub fn build(self) -> Result<Worker> {
        self.check()?;
        let client = self.client.ok_or_else(|| {
            let hint = "begin with Worker::builder(client), or call .client(client)";
            Error::configuration("the worker has no client", hint)
        })?;
        let mut settings = self.settings;
        settings.worker_id = self.worker_id.unwrap_or_else(default_worker_id).into();
        let registry = register_all(self.handlers, &self.states)?;
        let subscriptions = self.queues.into_iter().map(|(queue, concurrency)| {
            let bounds = Bounds {
                concurrency,
                batch_max: settings.batch_max,
                lease: settings.lease,
                pause_max: settings.polled_pause(),
                woken_pause_max: settings.woken_pause(),
            };
            Arc::new(Subscription::new(queue.into(), bounds))
        });
        let subscriptions = subscriptions.collect();
        Ok(Worker::new(Context::new(client, settings, registry, subscriptions)))
    }
}

impl fmt::Debug for WorkerBuilder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let types: Vec<&str> =
            self.handlers.iter().map(|handler| handler.job_type.as_str()).collect();
        let mut debug = formatter.debug_struct("WorkerBuilder");
        debug
            .field("queues", &self.queues)
            .field("types", &types)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// Gives every handler its state.
fn register_all(handlers: Vec<Registration>, states: &States) -> Result<Registry> {
    let mut registry = Registry::default();
    for Registration { job_type, timeout, bind } in handlers {
        let handler = bind(&job_type, states)?;
        registry.add(Entry { job_type: job_type.as_str().into(), timeout, handler });
    }
    Ok(registry)
}

fn default_worker_id() -> String {
    format!("{}:{}:{:04x}", host(), std::process::id(), rand::random::<u16>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_worker_ids_are_printable_and_differ() {
        let (first, second) = (default_worker_id(), default_worker_id());
        assert!(first.contains(&std::process::id().to_string()));
        assert_ne!(first, second);
        assert_eq!(check::worker_id(&first), Ok(()));
    }

    #[test]
    fn a_set_up_is_checked_before_it_connects() {
        let builder = || WorkerBuilder::default().queue("mail", 1);
        let refused = |builder: WorkerBuilder, part: &str| {
            let error = builder.check().unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
        };
        let handler =
            async |_: super::super::RawJob, _: super::super::Attempt| Ok::<_, crate::JobError>(());
        refused(builder(), "no handler");
        let complete = || builder().handler_for("send", handler);
        refused(complete().lease(Duration::ZERO), "lease");
        refused(complete().queue("mail", 2), "queue mail twice");
        refused(complete().handler_for("a b", handler), "type");
        refused(complete().handler_for("send", handler), "type send has two handlers");
        refused(complete().worker_id("\n"), "worker_id");
        complete().check().unwrap();
        let error = complete().build().unwrap_err();
        assert!(error.to_string().contains("no client"), "{error}");
    }
}
