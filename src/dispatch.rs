//! The producer's side: one job to be dispatched, with its options, in whatever transaction the caller has.

use std::time::{Duration, SystemTime};

use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, value::RawValue};
use tokio_postgres::{GenericClient, types::Json};
use uuid::Uuid;

use crate::{
    error::{Error, Result},
    job::Job,
    json,
    statements::{DISPATCH, DISPATCH_DELAYED, DISPATCH_MANY, DISPATCH_MANY_DELAYED, Value, Via},
    tenant::Tenant,
    timestamp,
};

/// How many jobs one call takes, and about how many bytes of JSON: well within the protocol's 64 MiB.
const BATCH_JOBS_MAX: usize = 10_000;
const BATCH_BYTES_MAX: usize = 16 << 20;

/// When a job may start.
#[derive(Debug, Clone, Copy)]
enum Due {
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
/// # async fn example(transaction: &tokio_postgres::Transaction<'_>) -> Result<(), fairclaim::Error> {
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
    tenant: Tenant,
    job_type: String,
    payload: Box<RawValue>,
    queue: String,
    priority: i32,
    due: Due,
    max_attempts: i32,
    timeout: Option<Duration>,
    tags: Vec<String>,
    metadata: Map<String, serde_json::Value>,
}

impl Dispatch {
    /// A typed job, with the defaults that its type states.
    ///
    /// # Errors
    /// [`Error::BadArgument`] when the payload cannot be written as JSON that the database stores.
    pub fn new<J: Job>(tenant: impl Into<Tenant>, job: &J) -> Result<Self> {
        let mut dispatch = Self::with_payload(tenant.into(), J::TYPE, json::to_raw("payload", job)?);
        J::QUEUE.clone_into(&mut dispatch.queue);
        dispatch.priority = J::PRIORITY;
        dispatch.max_attempts = J::MAX_ATTEMPTS;
        dispatch.timeout = J::TIMEOUT;
        Ok(dispatch)
    }

    /// A job whose type and payload are known at run time only.
    ///
    /// # Errors
    /// As [`Dispatch::new`].
    pub fn raw(tenant: impl Into<Tenant>, job_type: impl Into<String>, payload: impl Serialize) -> Result<Self> {
        Ok(Self::with_payload(tenant.into(), job_type, json::to_raw("payload", &payload)?))
    }

    fn with_payload(tenant: Tenant, job_type: impl Into<String>, payload: Box<RawValue>) -> Self {
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
        }
    }

    /// Into this queue. Defaults to the queue of the type, or `default`.
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.queue = queue.into();
        self
    }

    /// Before (higher) or after (lower) the other jobs of its tenant: −100 to 100. Defaults to the type's, or 0.
    pub fn priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }

    /// Not before this time. At most 5 years ahead; a time of the last day means now.
    pub fn run_at(mut self, at: SystemTime) -> Self {
        self.due = Due::At(at);
        self
    }

    /// Not before this span from now, by the clock of the database.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.due = Due::After(delay);
        self
    }

    /// How many attempts may fail before the job does: 1 to 100. Defaults to the type's, or 25.
    pub fn max_attempts(mut self, attempts: i32) -> Self {
        self.max_attempts = attempts;
        self
    }

    /// How long one attempt may take: 1 ms to 24 h. Defaults to the type's, or no limit.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// One more word to find the job by: at most 20 of 1 to 64 characters.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// One more note beside the payload, such as a trace id; at most 16 KiB in all.
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<serde_json::Value>) -> Self {
        self.metadata.insert(key.into(), value.into());
        self
    }

    /// Dispatches it on this client or in this transaction, with which it commits or rolls back.
    ///
    /// # Errors
    /// [`Error::BadArgument`], [`Error::Quota`] or [`Error::Privilege`]; nothing is written then, and a transaction is
    /// aborted as after any error of the server.
    pub async fn execute<C: GenericClient + Sync>(self, client: &C) -> Result<Uuid> {
        self.send(&Via::whole(client)).await
    }

    pub(crate) async fn send<C: GenericClient + Sync>(self, via: &Via<'_, C>) -> Result<Uuid> {
        self.check()?;
        let metadata = json::to_raw("metadata", &self.metadata)?;
        let (at, after) = match self.due {
            Due::Now => (None, None),
            Due::At(at) => (Some(at), None),
            Due::After(delay) => (None, Some(delay.as_secs_f64())),
        };
        let (statement, due): (_, Value<'_>) =
            if after.is_some() { (DISPATCH_DELAYED, &after) } else { (DISPATCH, &at) };
        let row = statement
            .row_via(
                via,
                &[
                    &self.tenant.uuid(),
                    &self.job_type,
                    &Json(&self.payload),
                    &self.queue,
                    &self.priority,
                    due,
                    &self.max_attempts,
                    &self.timeout.map(|timeout| timeout.as_secs_f64()),
                    &self.tags,
                    &Json(&metadata),
                ],
            )
            .await?;
        Ok(row.try_get(0)?)
    }

    /// Refuses what the conversion of a parameter would refuse with the value in its message. All limits are checked by
    /// the function itself.
    fn check(&self) -> Result<()> {
        let texts = [("type", &self.job_type), ("queue", &self.queue)];
        let tags = self.tags.iter().map(|tag| ("tags", tag));
        if let Some((field, _)) = texts.into_iter().chain(tags).find(|(_, text)| text.contains('\0')) {
            return Err(Error::bad_argument(field, "must not hold a NUL"));
        }
        let five_years = Duration::from_secs(5 * 366 * 86_400);
        if matches!(self.due, Due::After(delay) if delay > five_years) {
            return Err(Error::bad_argument("delay", "must be at most 5 years"));
        }
        if self.timeout.is_some_and(|timeout| timeout > Duration::from_secs(86_400)) {
            return Err(Error::bad_argument("timeout", "must be from 1 ms to 24 h"));
        }
        Ok(())
    }

    /// About how many bytes it takes in a batch.
    fn bytes(&self) -> usize {
        300 + self.payload.get().len()
    }
}

/// As an item of `dispatch_jobs`; defaults are left out, to keep the batch small.
impl Serialize for Dispatch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut item = serializer.serialize_map(None)?;
        item.serialize_entry("tenant_id", &self.tenant)?;
        item.serialize_entry("type", &self.job_type)?;
        item.serialize_entry("payload", &self.payload)?;
        if self.queue != "default" {
            item.serialize_entry("queue", &self.queue)?;
        }
        if self.priority != 0 {
            item.serialize_entry("priority", &self.priority)?;
        }
        match self.due {
            Due::Now => {}
            Due::At(at) => item.serialize_entry("run_at", &timestamp::rfc3339(at))?,
            Due::After(delay) => item.serialize_entry("delay", &delay.as_secs_f64())?,
        }
        if self.max_attempts != 25 {
            item.serialize_entry("max_attempts", &self.max_attempts)?;
        }
        if let Some(timeout) = self.timeout {
            item.serialize_entry("timeout", &timestamp::interval_text(timeout))?;
        }
        if !self.tags.is_empty() {
            item.serialize_entry("tags", &self.tags)?;
        }
        if !self.metadata.is_empty() {
            item.serialize_entry("metadata", &self.metadata)?;
        }
        item.end()
    }
}

/// Dispatches many jobs on this client or in this transaction; their ids come in the order of the jobs.
///
/// More than 10,000 jobs, or 16 MiB of payloads, travel in several calls: give it a transaction, so that all commit or
/// none.
///
/// # Errors
/// As [`Dispatch::execute`]; the message has the index of the bad job, counted from 0.
pub async fn dispatch_many_in<C: GenericClient + Sync>(
    client: &C,
    jobs: impl IntoIterator<Item = Dispatch>,
) -> Result<Vec<Uuid>> {
    let jobs: Vec<Dispatch> = jobs.into_iter().collect();
    send_many(&Via::whole(client), &jobs).await
}

/// Sends the batches one after the other.
pub(crate) async fn send_many<C: GenericClient + Sync>(via: &Via<'_, C>, jobs: &[Dispatch]) -> Result<Vec<Uuid>> {
    for (index, job) in jobs.iter().enumerate() {
        job.check().and_then(|()| json::to_raw("metadata", &job.metadata)).map_err(|error| at_index(index, error))?;
    }
    let mut ids = Vec::with_capacity(jobs.len());
    for batch in batches(jobs) {
        let delayed = batch.iter().any(|job| matches!(job.due, Due::After(_)));
        let statement = if delayed { DISPATCH_MANY_DELAYED } else { DISPATCH_MANY };
        for row in statement.rows_via(via, &[&Json(batch)]).await.map_err(|error| shift(ids.len(), error))? {
            ids.push(row.try_get(0)?);
        }
    }
    Ok(ids)
}

/// Whether these jobs travel in one call, which is a transaction by itself.
pub(crate) fn is_one_call(jobs: &[Dispatch]) -> bool {
    batches(jobs).nth(1).is_none()
}

/// Cuts a list so that each part is one call.
fn batches(jobs: &[Dispatch]) -> impl Iterator<Item = &[Dispatch]> {
    let mut rest = jobs;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fitting = rest
            .iter()
            .take(BATCH_JOBS_MAX)
            .take_while(|job| {
                bytes += job.bytes();
                bytes <= BATCH_BYTES_MAX
            })
            .count();
        let (batch, left) = rest.split_at(fitting.max(1).min(rest.len()));
        rest = left;
        (!batch.is_empty()).then_some(batch)
    })
}

/// Names the job of a batch that was refused before it was sent.
fn at_index(index: usize, error: Error) -> Error {
    match error {
        Error::BadArgument { message, hint } => {
            Error::BadArgument { message: format!("p_jobs[{index}].{message}"), hint }
        }
        other => other,
    }
}

/// The database counts within one call; the caller counts from the first job.
fn shift(sent: usize, error: Error) -> Error {
    let renumber = |message: String| {
        let index = message.strip_prefix("p_jobs[").and_then(|rest| rest.split_once(']'));
        match index.and_then(|(index, rest)| Some((index.parse::<usize>().ok()?, rest))) {
            Some((index, rest)) => format!("p_jobs[{}]{rest}", sent + index),
            None => message,
        }
    };
    match error {
        Error::BadArgument { message, hint } => Error::BadArgument { message: renumber(message), hint },
        Error::Tenant { message, hint } => Error::Tenant { message: renumber(message), hint },
        Error::Quota { message, hint } => Error::Quota { message: renumber(message), hint },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn job(payload: Value) -> Dispatch {
        Dispatch::raw(Uuid::nil(), "send_mail", payload).unwrap()
    }

    #[test]
    fn an_item_of_a_batch_leaves_defaults_out() {
        let plain = serde_json::to_value(job(json!({"a": 1}))).unwrap();
        assert_eq!(plain, json!({"tenant_id": Uuid::nil(), "type": "send_mail", "payload": {"a": 1}}));
    }

    #[test]
    fn an_item_of_a_batch_has_every_option() {
        let full = job(json!(null))
            .queue("mail")
            .priority(3)
            .run_at(SystemTime::UNIX_EPOCH)
            .max_attempts(2)
            .timeout(Duration::from_millis(1500))
            .tag("t")
            .metadata("k", 1);
        let expected = json!({
            "tenant_id": Uuid::nil(), "type": "send_mail", "payload": null, "queue": "mail", "priority": 3,
            "run_at": "1970-01-01T00:00:00.000000Z", "max_attempts": 2, "timeout": "1.500000 seconds", "tags": ["t"],
            "metadata": {"k": 1}
        });
        assert_eq!(serde_json::to_value(full.clone()).unwrap(), expected);
        let delayed = serde_json::to_value(full.delay(Duration::from_secs(2))).unwrap();
        assert_eq!(delayed["delay"], json!(2.0));
        assert_eq!(delayed.get("run_at"), None);
    }

    #[test]
    fn batches_are_bounded_by_number_and_by_bytes() {
        let small = vec![job(json!(0)); 20_001];
        assert_eq!(batches(&small).map(<[_]>::len).collect::<Vec<_>>(), [10_000, 10_000, 1]);
        let large = vec![job(json!("x".repeat(10 << 20))); 3];
        assert_eq!(batches(&large).map(<[_]>::len).collect::<Vec<_>>(), [1, 1, 1]);
        let huge = vec![job(json!("x".repeat(BATCH_BYTES_MAX))); 2];
        assert_eq!(batches(&huge).map(<[_]>::len).collect::<Vec<_>>(), [1, 1]);
        assert_eq!(batches(&[]).count(), 0);
    }

    #[test]
    fn an_index_counts_from_the_first_job_of_all_batches() {
        let shifted = shift(10_000, Error::bad_argument("p_jobs[7].queue", "too long"));
        assert_eq!(shifted.to_string(), "bad argument: p_jobs[10007].queue: too long");
        let other = shift(10_000, Error::bad_argument("p_jobs", "too many"));
        assert_eq!(other.to_string(), "bad argument: p_jobs: too many");
    }

    #[test]
    fn a_nul_is_refused_before_it_is_sent() {
        assert!(job(json!(1)).queue("a\0").check().unwrap_err().to_string().contains("queue"));
        assert!(job(json!(1)).tag("a\0").check().unwrap_err().to_string().contains("tags"));
        assert!(Dispatch::raw(Uuid::nil(), "t", "\0").is_err());
    }
}
