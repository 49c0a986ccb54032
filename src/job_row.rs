//! A job as operators read it.

use std::{
    fmt,
    str::FromStr,
    time::{Duration, SystemTime},
};

use serde::Serialize;
use serde_json::Value;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    error::{Error, Result},
    tenant::Tenant,
};

/// Where a job is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Status {
    /// Not due yet: delayed, waiting for a retry, or snoozed.
    Scheduled,
    /// Waiting for a worker.
    Pending,
    /// Claimed by a worker whose lease runs.
    Processing,
    /// Done.
    Completed,
    /// Its attempts are used up, or a handler said that no other would help.
    Failed,
    /// Ended by somebody's wish.
    Cancelled,
}

impl Status {
    /// All of them, in the order of a job's life.
    pub const ALL: [Self; 6] = [
        Self::Scheduled,
        Self::Pending,
        Self::Processing,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
    ];

    /// The word that the database uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Pending => "pending",
            Self::Processing => "processing",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether only an operator's retry leaves it.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl FromStr for Status {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word).ok_or_else(|| {
            Error::bad_argument(
                "status",
                "must be scheduled, pending, processing, completed, failed or cancelled",
            )
        })
    }
}

/// A job as [`Client::job`](crate::Client::job) and [`Client::jobs`](crate::Client::jobs) answer it.
///
/// Lists leave payload, result, error, metadata and time-out out; so does the database for a login that may not see them.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct JobRow {
    /// The job's id, a uuid of version 7 in the order of dispatch.
    pub id: Uuid,
    /// Its owner.
    pub tenant_id: Tenant,
    /// The queue it was dispatched to.
    pub queue: String,
    /// The name its handler is registered for.
    #[serde(rename = "type")]
    pub job_type: String,
    /// Where it is in its life.
    pub status: Status,
    /// −100 to 100, higher first.
    pub priority: i32,
    /// How often it was claimed.
    pub attempts: i32,
    /// How many attempts may fail before it does.
    pub max_attempts: i32,
    /// Who claimed it last.
    pub worker_id: Option<String>,
    /// When it is due, while it is scheduled.
    #[serde(serialize_with = "crate::timestamp::serialize_option")]
    pub next_retry_at: Option<SystemTime>,
    /// When it was dispatched.
    #[serde(serialize_with = "crate::timestamp::serialize")]
    pub created_at: SystemTime,
    /// When it reached its final state.
    #[serde(serialize_with = "crate::timestamp::serialize_option")]
    pub completed_at: Option<SystemTime>,
    /// The words it was tagged with.
    pub tags: Vec<String>,
    /// How long one attempt may take.
    #[serde(rename = "timeout_seconds", serialize_with = "seconds")]
    pub timeout: Option<Duration>,
    /// What it was dispatched with.
    pub payload: Option<Value>,
    /// What its handler returned.
    pub result: Option<Value>,
    /// Its last error.
    pub error: Option<Value>,
    /// What the dispatcher noted beside the payload.
    pub metadata: Option<Value>,
    /// The errors of its failed attempts, oldest first.
    pub errors: Option<Value>,
}

#[expect(clippy::ref_option, reason = "serde passes the field by reference")]
fn seconds<S: serde::Serializer>(
    span: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match span {
        Some(span) => serializer.serialize_f64(span.as_secs_f64()),
        None => serializer.serialize_none(),
    }
}

impl JobRow {
    /// Reads the columns of a list: no payload, result or error.
    pub(crate) fn from_overview(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            tenant_id: row.try_get::<_, Uuid>("tenant_id")?.into(),
            queue: row.try_get("queue")?,
            job_type: row.try_get("type")?,
            status: row.try_get::<_, &str>("status")?.parse()?,
            priority: row.try_get("priority")?,
            attempts: row.try_get("attempts")?,
            max_attempts: row.try_get("max_attempts")?,
            worker_id: row.try_get("worker_id")?,
            next_retry_at: row.try_get("next_retry_at")?,
            created_at: row.try_get("created_at")?,
            completed_at: row.try_get("completed_at")?,
            tags: row.try_get::<_, Option<Vec<String>>>("tags")?.unwrap_or_default(),
            timeout: None,
            payload: None,
            result: None,
            error: None,
            metadata: None,
            errors: None,
        })
    }

    /// Reads everything that one job has.
    pub(crate) fn from_row(row: &Row) -> Result<Self> {
        let timeout: Option<f64> = row.try_get("timeout_seconds")?;
        Ok(Self {
            timeout: timeout.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
            payload: row.try_get("payload")?,
            result: row.try_get("result")?,
            error: row.try_get("error")?,
            metadata: row.try_get("metadata")?,
            errors: row.try_get("errors")?,
            ..Self::from_overview(row)?
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_reads_what_it_prints() {
        for status in Status::ALL {
            assert_eq!(status.to_string().parse::<Status>().unwrap(), status);
            assert_eq!(serde_json::to_string(&status).unwrap(), format!("\"{status}\""));
        }
        assert_eq!("done".parse::<Status>().unwrap_err().code(), Some("JQ004"));
    }
}
