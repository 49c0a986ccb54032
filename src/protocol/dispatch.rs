//! A job to be dispatched, with its options.

mod item;
mod limits;

use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde_json::{Map, value::RawValue};

use crate::{
    error::Result,
    protocol::{job::Job, json, tenant::Owner},
};

/// When a job may start.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Due {
    Now,
    At(SystemTime),
    After(Duration),
}

/// One job, not yet dispatched.
///
/// ```
/// use std::time::Duration;
/// use fairclaim::{Dispatch, Tenant};
/// # #[derive(serde::Serialize, serde::Deserialize)]
/// # struct SendMail { to: String }
/// # impl fairclaim::Job for SendMail { const TYPE: &'static str = "send_mail"; }
///
/// # use fairclaim::Error;
/// # async fn example(transaction: &tokio_postgres::Transaction<'_>) -> Result<(), Error> {
/// let mail = SendMail { to: "a@b.example".into() };
/// let id = Dispatch::new(Tenant::named("acme")?, &mail)?
///     .delay(Duration::from_secs(60))
///     .tag("welcome")
///     .execute(transaction) // commits together with your rows
///     .await?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[must_use = "a dispatch does nothing until it is executed"]
pub struct Dispatch {
    pub(crate) tenant: Owner,
    pub(crate) job_type: String,
    pub(crate) payload: Box<RawValue>,
    pub(crate) queue: String,
    pub(crate) priority: i32,
    pub(crate) due: Due,
    pub(crate) max_attempts: i32,
    pub(crate) timeout: Option<Duration>,
    pub(crate) tags: Vec<String>,
    pub(crate) metadata: Map<String, serde_json::Value>,
    pub(crate) key: Option<String>,
    pub(crate) keep_order: bool,
}

impl Dispatch {
    /// Makes a dispatch of a typed job, with the defaults that its type states. `tenant` is a
    /// [`Tenant`](crate::Tenant), a uuid, or [`DefaultTenant`](crate::DefaultTenant).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) when the payload cannot be
    /// written as JSON that the database stores.
    pub fn new<J: Job>(tenant: impl Into<Owner>, job: &J) -> Result<Self> {
        let mut dispatch =
            Self::with_payload(tenant.into(), J::TYPE, json::to_raw("payload", job)?);
        J::QUEUE.clone_into(&mut dispatch.queue);
        dispatch.priority = J::PRIORITY;
        dispatch.max_attempts = J::MAX_ATTEMPTS;
        dispatch.timeout = J::TIMEOUT;
        Ok(dispatch)
    }

    /// Makes a dispatch of a job whose type and payload are known only at run time.
    ///
    /// # Errors
    /// As [`Dispatch::new`].
    pub fn raw(
        tenant: impl Into<Owner>,
        job_type: impl Into<String>,
        payload: impl Serialize,
    ) -> Result<Self> {
        Ok(Self::with_payload(tenant.into(), job_type, json::to_raw("payload", &payload)?))
    }

    fn with_payload(tenant: Owner, job_type: impl Into<String>, payload: Box<RawValue>) -> Self {
        Self {
            tenant,
            job_type: job_type.into(),
            payload,
            queue: "default".into(),
            priority: 0,
            due: Due::Now,
            max_attempts: 25,
            timeout: None,
            tags: Vec::new(),
            metadata: Map::new(),
            key: None,
            keep_order: false,
        }
    }

    /// Sets the queue. It defaults to the queue of the type, or to `default`.
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.queue = queue.into();
        self
    }

    /// Puts the job before (higher) or after (lower) the other jobs of its tenant: −100 to 100. It
    /// defaults to the priority of the type, or to 0.
    pub fn priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }

    /// Runs the job not before this time, which is at most 5 years ahead. A time of the last day
    /// means now.
    pub fn run_at(mut self, at: SystemTime) -> Self {
        self.due = Due::At(at);
        self
    }

    /// Runs the job not before this span from now has passed, by the clock of the database.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.due = Due::After(delay);
        self
    }

    /// Sets how many attempts may fail before the job itself does: 1 to 100. It defaults to the
    /// number of the type, or to 25.
    pub fn max_attempts(mut self, attempts: i32) -> Self {
        self.max_attempts = attempts;
        self
    }

    /// Sets how long one attempt may take: 1 ms to 24 h. It defaults to the time of the type, or to
    /// no limit.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Adds a word to find the job by. A job has at most 20, of 1 to 64 characters each.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// Adds a note beside the payload, such as a trace id. A job has at most 16 KiB of notes.
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<serde_json::Value>) -> Self {
        self.metadata.insert(key.into(), value.into());
        self
    }

    /// Names what the job shares with other jobs of its tenant, such as an account: 1 to 255 bytes.
    /// Of the jobs of one key one runs at a time, in the order of their dispatch, or as many as
    /// [`Client::set_key_limit`](crate::Client::set_key_limit) says. Priorities do not count among
    /// them.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Lets no other job of the same key run while this one waits for a retry or is snoozed. It then
    /// runs alone, whatever the limit of its key. Needs a [`key`](Self::key); without this, the
    /// next job of the key goes meanwhile.
    pub fn keep_order(mut self, keep_order: bool) -> Self {
        self.keep_order = keep_order;
        self
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::*;

    fn job(payload: Value) -> Dispatch {
        Dispatch::raw(Uuid::nil(), "send_mail", payload).unwrap()
    }

    #[test]
    fn a_nul_is_refused_before_it_is_sent() {
        assert!(job(json!(1)).queue("a\0").check().unwrap_err().to_string().contains("queue"));
        assert!(job(json!(1)).key("a\0").check().unwrap_err().to_string().contains("key"));
        assert!(job(json!(1)).tag("a\0").check().unwrap_err().to_string().contains("tags"));
        assert!(Dispatch::raw(Uuid::nil(), "t", "\0").is_err());
    }
}
