//! A job as operators read it.

use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde_json::{Value, value::RawValue};
use tokio_postgres::{Row, types::Json};
use uuid::Uuid;

use crate::{
    error::Result,
    protocol::{json, status::Status, tenant::Tenant},
};

/// A job as [`Client::job`](crate::Client::job) and [`Client::jobs`](crate::Client::jobs) answer
/// it.
///
/// Lists leave payload, result, error, metadata and time-out out, and the database does so for a
/// login that may not see them. A serialised job has those of them that are there, as the database
/// keeps them, to the last digit.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct JobRow {
    /// The job's id, a uuid of version 7 in the order of dispatch.
    pub id: Uuid,
    /// Its owner.
    pub tenant_id: Tenant,
    /// What the owner is called; none where no job was dispatched for it by name.
    pub tenant: Option<String>,
    /// The queue that it was dispatched to.
    pub queue: String,
    /// The name that its handler is registered for.
    #[serde(rename = "type")]
    pub job_type: String,
    /// Where it is in its life.
    pub status: Status,
    /// Its place among the jobs of its tenant: −100 to 100, higher first.
    pub priority: i32,
    /// How often it was claimed.
    pub attempts: i32,
    /// How many attempts may fail before the job itself does.
    pub max_attempts: i32,
    /// How many attempts may still fail; none for a job that has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts_left: Option<i32>,
    /// How many workers died with it since it was dispatched or run again; none in lists, and for a
    /// job that has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<i32>,
    /// The worker that claimed it last.
    pub worker_id: Option<String>,
    /// When it is due, as long as it is scheduled.
    #[serde(serialize_with = "crate::protocol::timestamp::serialize_option")]
    pub next_retry_at: Option<SystemTime>,
    /// When it was dispatched.
    #[serde(serialize_with = "crate::protocol::timestamp::serialize")]
    pub created_at: SystemTime,
    /// When it was to run first, if that was not at once; none in lists.
    #[serde(
        serialize_with = "crate::protocol::timestamp::serialize_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub run_at: Option<SystemTime>,
    /// When the lease of its worker ends; none in lists, and for a job that does not run.
    #[serde(
        serialize_with = "crate::protocol::timestamp::serialize_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub lease_expires_at: Option<SystemTime>,
    /// Whether it runs and was asked to stop. Lists do not know it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cancel_requested: bool,
    /// When it reached its final state.
    #[serde(serialize_with = "crate::protocol::timestamp::serialize_option")]
    pub completed_at: Option<SystemTime>,
    /// The words it was tagged with.
    pub tags: Vec<String>,
    /// The code of its last error, unless it completed. Only lists have it, in place of
    /// [`JobRow::error`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    /// The first 200 characters of that error's message, which only auditors see.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// The database's time when it answered this.
    #[serde(skip)]
    pub read_at: SystemTime,
    /// How long one attempt may take.
    #[serde(
        rename = "timeout_seconds",
        serialize_with = "crate::protocol::timestamp::serialize_seconds",
        skip_serializing_if = "Option::is_none"
    )]
    pub timeout: Option<Duration>,
    /// Its payload. Here and below, a number beyond the range of `f64` stands as its text;
    /// [`JobRow::exact`] has every digit.
    #[serde(skip)]
    pub payload: Option<Value>,
    /// What its handler returned.
    #[serde(skip)]
    pub result: Option<Value>,
    /// Its last error.
    #[serde(skip)]
    pub error: Option<Value>,
    /// What the dispatcher noted beside the payload.
    #[serde(skip)]
    pub metadata: Option<Value>,
    /// The errors of its failed attempts, oldest first.
    #[serde(skip)]
    pub errors: Option<Value>,
    /// The JSON texts of these five, as the database keeps them.
    #[serde(flatten)]
    pub exact: JobTexts,
}

/// The JSON of a job as texts. What a [`Value`] cannot hold, or would round, stands in them as it
/// is.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct JobTexts {
    /// Its payload.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<Box<RawValue>>,
    /// What its handler returned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<Box<RawValue>>,
    /// Its last error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Box<RawValue>>,
    /// What the dispatcher noted beside the payload.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Box<RawValue>>,
    /// The errors of its failed attempts, oldest first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errors: Option<Box<RawValue>>,
}

impl JobTexts {
    fn all(&self) -> [Option<&str>; 5] {
        let all = [&self.payload, &self.result, &self.error, &self.metadata, &self.errors];
        all.map(|text| text.as_ref().map(|text| text.get()))
    }
}

impl PartialEq for JobTexts {
    fn eq(&self, other: &Self) -> bool {
        self.all() == other.all()
    }
}

impl JobRow {
    /// Reads a row of a list: no payload or result, and of the last error its code and the
    /// beginning of its message.
    pub(crate) fn from_list(row: &Row) -> Result<Self> {
        Ok(Self {
            error_code: row.try_get("error_code")?,
            error_message: row.try_get("error_message")?,
            ..Self::from_overview(row)?
        })
    }

    /// Reads what lists and single jobs have in common.
    fn from_overview(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            tenant_id: row.try_get::<_, Uuid>("tenant_id")?.into(),
            tenant: row.try_get("tenant")?,
            queue: row.try_get("queue")?,
            job_type: row.try_get("type")?,
            status: row.try_get::<_, &str>("status")?.parse()?,
            priority: row.try_get("priority")?,
            attempts: row.try_get("attempts")?,
            max_attempts: row.try_get("max_attempts")?,
            attempts_left: row.try_get("attempts_left")?,
            lost: None,
            worker_id: row.try_get("worker_id")?,
            next_retry_at: row.try_get("next_retry_at")?,
            created_at: row.try_get("created_at")?,
            run_at: None,
            lease_expires_at: None,
            cancel_requested: false,
            completed_at: row.try_get("completed_at")?,
            tags: row.try_get::<_, Option<Vec<String>>>("tags")?.unwrap_or_default(),
            error_code: None,
            error_message: None,
            read_at: row.try_get("read_at")?,
            timeout: None,
            payload: None,
            result: None,
            error: None,
            metadata: None,
            errors: None,
            exact: JobTexts::default(),
        })
    }

    /// Reads everything that one job has.
    pub(crate) fn from_row(row: &Row) -> Result<Self> {
        let timeout: Option<f64> = row.try_get("timeout_seconds")?;
        let text = |column| -> Result<Option<Box<RawValue>>> {
            Ok(row.try_get::<_, Option<Json<_>>>(column)?.map(|Json(text)| text))
        };
        let exact = JobTexts {
            payload: text("payload")?,
            result: text("result")?,
            error: text("error")?,
            metadata: text("metadata")?,
            errors: text("errors")?,
        };
        Ok(Self {
            lost: row.try_get("lost")?,
            run_at: row.try_get("run_at")?,
            lease_expires_at: row.try_get("lease_expires_at")?,
            cancel_requested: row.try_get("cancel_requested")?,
            timeout: timeout.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
            payload: value(exact.payload.as_deref()),
            result: value(exact.result.as_deref()),
            error: value(exact.error.as_deref()),
            metadata: value(exact.metadata.as_deref()),
            errors: value(exact.errors.as_deref()),
            exact,
            ..Self::from_overview(row)?
        })
    }
}

fn value(text: Option<&RawValue>) -> Option<Value> {
    text.map(json::value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_serialised_as_the_database_keeps_it() {
        let text = r#"{"n": 1e400, "exact": 0.10000000000000000001}"#;
        let mut row = row();
        row.exact.payload = Some(RawValue::from_string(text.into()).unwrap());
        row.payload = value(row.exact.payload.as_deref());
        let serialised = serde_json::to_string_pretty(&row).unwrap();
        assert!(serialised.contains(&format!("\"payload\": {text}")), "{serialised}");
        assert_eq!(serialised.matches("\"payload\"").count(), 1);
        assert_eq!(row.payload, Some(serde_json::json!({"n": "1e400", "exact": 0.1})));
    }

    #[test]
    fn what_was_not_read_has_no_key_and_a_null_that_was_read_has_one() {
        let mut row = row();
        row.exact.result = Some(RawValue::from_string("null".into()).unwrap());
        let serialised = serde_json::to_value(&row).unwrap();
        for absent in ["payload", "error", "errors", "metadata", "timeout_seconds", "error_code"] {
            assert_eq!(serialised.get(absent), None, "{absent}");
        }
        assert_eq!(serialised.get("result"), Some(&Value::Null));
        assert_eq!(serialised["attempts_left"], 25);
    }

    fn row() -> JobRow {
        JobRow {
            id: Uuid::nil(),
            tenant_id: Uuid::nil().into(),
            tenant: None,
            queue: "default".into(),
            job_type: "test".into(),
            status: Status::Pending,
            priority: 0,
            attempts: 0,
            max_attempts: 25,
            attempts_left: Some(25),
            lost: None,
            worker_id: None,
            next_retry_at: None,
            created_at: SystemTime::UNIX_EPOCH,
            run_at: None,
            lease_expires_at: None,
            cancel_requested: false,
            completed_at: None,
            tags: Vec::new(),
            error_code: None,
            error_message: None,
            read_at: SystemTime::UNIX_EPOCH,
            timeout: None,
            payload: None,
            result: None,
            error: None,
            metadata: None,
            errors: None,
            exact: JobTexts::default(),
        }
    }
}
