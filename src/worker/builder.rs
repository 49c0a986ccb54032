//! How a worker is set up, and what it refuses.

use std::{fmt, sync::Arc, time::Duration};

use serde::de::DeserializeOwned;

use super::{
    Worker,
    handler::{Bound, Handler, States},
    pacing::Bounds,
    registry::{Entry, Registry},
    shared::{Settings, Shared},
    subscription::Subscription,
};
use crate::{
    client::Client,
    error::{Error, Result},
    job::Job,
};

/// Sets a [`Worker`] up; every setting has a default but the queues and the handlers.
#[must_use = "a worker does nothing until it is built and run"]
pub struct WorkerBuilder {
    client: Client,
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

impl WorkerBuilder {
    pub(crate) fn new(client: Client) -> Self {
        let settings = Settings {
            worker_id: "".into(),
            lease: Duration::from_secs(30),
            grace: Duration::from_secs(20),
            stop_within: Duration::from_secs(1),
            poll_interval: Duration::from_secs(1),
            batch_max: 500,
            connections: 2,
            attempt_timeout: None,
            listen: true,
            maintain: true,
            drain: false,
        };
        Self {
            client,
            worker_id: None,
            states: States::default(),
            queues: Vec::new(),
            handlers: Vec::new(),
            settings,
        }
    }

    /// What every job that it claims records as its worker: up to 255 printable characters, best unique to the process.
    /// Defaults to the machine's name, the process id and four random characters.
    pub fn worker_id(mut self, worker_id: impl Into<String>) -> Self {
        self.worker_id = Some(worker_id.into());
        self
    }

    /// A value for the handlers that ask for `State<S>`, cloned for every attempt. There may be one of each type.
    pub fn state<S: Clone + Send + Sync + 'static>(mut self, state: S) -> Self {
        self.states.put(state);
        self
    }

    /// Serves a queue, with at most so many handlers at once. Its capacity is its own, however busy the others are.
    pub fn queue(mut self, queue: impl Into<String>, concurrency: usize) -> Self {
        self.queues.push((queue.into(), concurrency));
        self
    }

    /// Runs the jobs of type `J::TYPE`. A worker claims only jobs of types that it has handlers for.
    pub fn handler<J: Job, Args>(self, handler: impl Handler<J, Args>) -> Self {
        self.register(J::TYPE.into(), J::TIMEOUT, handler)
    }

    /// Runs the jobs of a type that has no [`Job`], as anything that reads their payload: [`RawJob`](super::RawJob) reads
    /// every one.
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

    /// How long a claim is good for without a heartbeat: 1 s to 24 h. A dead worker's jobs wait for that long, so it is
    /// better short; a heartbeat extends the leases of jobs that run for longer. Defaults to 30 s.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.settings.lease = lease;
        self
    }

    /// How long a shutdown waits for running jobs, before it stops their handlers and gives them back. Defaults to 20 s.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.settings.grace = grace;
        self
    }

    /// How long handlers have after the grace period, from the cancelling of [`Attempt::cancellation`](super::Attempt) until
    /// they are dropped: what they need to stop by themselves. Defaults to 1 s.
    pub fn stop_within(mut self, time: Duration) -> Self {
        self.settings.stop_within = time;
        self
    }

    /// The longest pause between the claims of an idle queue: 5 ms to 1 min. Shorter, and jobs that no notification
    /// announced start sooner; above 1 s, dispatches stop announcing. Defaults to 1 s.
    pub fn poll_interval(mut self, longest: Duration) -> Self {
        self.settings.poll_interval = longest;
        self
    }

    /// A time-out for attempts of jobs that have none, neither their own nor their type's. Defaults to none: such a job
    /// may run for as long as its lease can be extended.
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.settings.attempt_timeout = Some(timeout);
        self
    }

    /// Whether to hear of dispatches on a connection of its own. Without, and behind a transaction pooler, jobs are found
    /// by polling. Defaults to true.
    pub fn listen(mut self, listen: bool) -> Self {
        self.settings.listen = listen;
        self
    }

    /// Whether to call the database's maintenance. At least one worker of a database should. Defaults to true.
    pub fn maintain(mut self, maintain: bool) -> Self {
        self.settings.maintain = maintain;
        self
    }

    /// Whether to stop by itself when the queues are empty. Jobs that are due later are not waited for. Defaults to false.
    pub fn drain(mut self, drain: bool) -> Self {
        self.settings.drain = drain;
        self
    }

    /// How many jobs one claim takes, and one call settles, at most: 1 to 1,000. Defaults to 500, which tiny jobs reach
    /// under load.
    pub fn max_batch(mut self, jobs: usize) -> Self {
        self.settings.batch_max = jobs;
        self
    }

    /// How many connections claims and settlements use: 1 to 8. Defaults to 2, so that one round trip is under way while
    /// the jobs of another run; one more is for heartbeats, one for maintenance, and one for listening.
    pub fn connections(mut self, connections: usize) -> Self {
        self.settings.connections = connections;
        self
    }

    /// The worker, ready to run.
    ///
    /// # Errors
    /// [`Error::Config`] names the setting that is missing, out of its limits or given twice.
    pub fn build(self) -> Result<Worker> {
        let mut settings = self.settings;
        check_settings(&settings)?;
        settings.worker_id = worker_id(self.worker_id)?.into();
        check_queues(&self.queues)?;
        let registry = register_all(self.handlers, &self.states)?;
        let pause_max = if settings.drain {
            settings.poll_interval.min(DRAIN_POLL)
        } else {
            settings.poll_interval
        };
        let subscriptions = self.queues.into_iter().map(|(queue, concurrency)| {
            let bounds = Bounds {
                concurrency,
                batch_max: settings.batch_max,
                lease: settings.lease,
                pause_max,
            };
            Arc::new(Subscription::new(queue.into(), bounds))
        });
        let subscriptions = subscriptions.collect();
        Ok(Worker::new(Shared::new(self.client, settings, registry, subscriptions)))
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

/// A worker that ends when its queues are empty should notice soon.
const DRAIN_POLL: Duration = Duration::from_millis(50);
const NAMES_MAX: usize = 1000;

fn check_settings(settings: &Settings) -> Result<()> {
    let (millis, day) = (Duration::from_millis, Duration::from_secs(24 * 3600));
    within("lease", settings.lease, millis(1000), day, "1 s to 24 h")?;
    within("grace", settings.grace, Duration::ZERO, day, "0 to 24 h")?;
    within("stop_within", settings.stop_within, Duration::ZERO, day, "0 to 24 h")?;
    within("poll_interval", settings.poll_interval, millis(5), millis(60_000), "5 ms to 1 min")?;
    within("max_batch", settings.batch_max, 1, 1000, "1 to 1,000")?;
    within("connections", settings.connections, 1, 8, "1 to 8")?;
    within(
        "attempt_timeout",
        settings.attempt_timeout.unwrap_or(day),
        millis(1),
        day,
        "1 ms to 24 h",
    )
}

fn within<T: PartialOrd + Copy>(
    setting: &str,
    value: T,
    least: T,
    most: T,
    limits: &str,
) -> Result<()> {
    if value >= least && value <= most {
        return Ok(());
    }
    Err(Error::config(
        format!("the worker's {setting} is out of its limits"),
        format!("set {setting} to {limits}"),
    ))
}

fn check_queues(queues: &[(String, usize)]) -> Result<()> {
    if queues.is_empty() || queues.len() > NAMES_MAX {
        return Err(Error::config(
            "the worker serves no queue, or more than 1,000",
            "call .queue(name, concurrency)",
        ));
    }
    for (at, (queue, concurrency)) in queues.iter().enumerate() {
        if !is_name(queue, false) {
            let message = format!("queue {at} of the worker has a name that no queue can have");
            return Err(Error::config(
                message,
                "use 1 to 64 of a-z 0-9 _ . : - and start with a letter or digit",
            ));
        }
        within(&format!("concurrency of queue {queue}"), *concurrency, 1, 10_000, "1 to 10,000")?;
        if queues[..at].iter().any(|(earlier, _)| earlier == queue) {
            return Err(Error::config(
                format!("the worker has queue {queue} twice"),
                "name every queue once",
            ));
        }
    }
    Ok(())
}

fn register_all(handlers: Vec<Registration>, states: &States) -> Result<Registry> {
    if handlers.is_empty() || handlers.len() > NAMES_MAX {
        let hint = "call .handler(f) with an async fn(job, attempt), or .handler_for(type, f)";
        return Err(Error::config("the worker has no handler, or more than 1,000", hint));
    }
    let mut registry = Registry::default();
    for Registration { job_type, timeout, bind } in handlers {
        if !is_name(&job_type, true) {
            let message = format!("{job_type:.64?} is not a name that a type can have");
            return Err(Error::config(
                message,
                "use 1 to 64 of A-Z a-z 0-9 _ . : - and start with a letter or digit",
            ));
        }
        let handler = bind(&job_type, states)?;
        if !registry.add(Entry { job_type: job_type.as_str().into(), timeout, handler }) {
            return Err(Error::config(
                format!("type {job_type} has two handlers"),
                "register one handler a type",
            ));
        }
    }
    Ok(registry)
}

fn is_name(name: &str, upper: bool) -> bool {
    let plain = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || upper && byte.is_ascii_uppercase()
    };
    let rest = |byte: u8| plain(byte) || b"_.:-".contains(&byte);
    name.len() <= 64 && name.bytes().next().is_some_and(plain) && name.bytes().all(rest)
}

fn worker_id(given: Option<String>) -> Result<String> {
    let worker_id = given.unwrap_or_else(default_worker_id);
    let characters = worker_id.chars().count();
    if (1..=255).contains(&characters) && !worker_id.chars().any(char::is_control) {
        return Ok(worker_id);
    }
    Err(Error::config(
        "the worker_id is empty, too long or not printable",
        "use 1 to 255 printable characters",
    ))
}

fn default_worker_id() -> String {
    let host = ["/proc/sys/kernel/hostname", "/etc/hostname"]
        .iter()
        .find_map(|file| std::fs::read_to_string(file).ok());
    let host = host.or_else(|| std::env::var("HOSTNAME").ok()).unwrap_or_default();
    let host: String =
        host.trim().chars().filter(|character| !character.is_control()).take(64).collect();
    let host = if host.is_empty() { "worker" } else { &host };
    format!("{host}:{}:{:04x}", std::process::id(), rand::random::<u16>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_database() {
        for name in ["a", "mail", "0_.:-", &"x".repeat(64)] {
            assert!(is_name(name, false), "{name}");
        }
        for name in ["", "Mail", "_a", "a b", "é", &"x".repeat(65)] {
            assert!(!is_name(name, false), "{name}");
        }
        assert!(is_name("SendMail", true));
    }

    #[test]
    fn worker_ids_are_printable_and_differ() {
        let (first, second) = (worker_id(None).unwrap(), worker_id(None).unwrap());
        assert!(first.contains(&std::process::id().to_string()));
        assert_ne!(first, second);
        assert!(worker_id(Some("'; drop table job; --".into())).is_ok());
        for bad in ["", "a\nb", &"é".repeat(256)] {
            assert!(worker_id(Some(bad.into())).is_err());
        }
    }

    #[test]
    fn a_worker_needs_each_queue_once() {
        let check = |queues: &[(&str, usize)], part: &str| {
            let queues: Vec<_> =
                queues.iter().map(|&(queue, slots)| (queue.to_owned(), slots)).collect();
            let error = check_queues(&queues).unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
            assert!(error.hint().is_some());
        };
        check(&[], "serves no queue");
        check(&[("mail", 1), ("mail", 2)], "queue mail twice");
        check(&[("mail", 0)], "concurrency of queue mail");
        check(&[("Mail!", 1)], "queue 0");
    }
}
