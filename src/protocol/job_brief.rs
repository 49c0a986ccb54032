//! A job as its producer sees it.

use std::time::SystemTime;

use serde::Serialize;
use serde_json::{Value, value::RawValue};
use tokio_postgres::{Row, types::Json};
use uuid::Uuid;

use crate::{
    error::Result,
    protocol::{json, status::Status},
};

/// What a producer sees of a job: where it is, and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct JobBrief {
    /// The id of the job.
    pub id: Uuid,
    /// Where it is in its life.
    pub status: Status,
    /// How often it was claimed.
    pub attempts: i32,
    /// What its handler returned, once it has completed. A number beyond the range of `f64` stands
    /// as its text.
    pub result: Option<Value>,
    /// The code of its last error, once it has failed or was cancelled.
    pub error_code: Option<String>,
    /// When it reached its final state.
    #[serde(serialize_with = "crate::protocol::timestamp::serialize_option")]
    pub ended_at: Option<SystemTime>,
}

impl JobBrief {
    /// Reads a row of the answer.
    pub(crate) fn read(row: &Row) -> Result<Self> {
        let result: Option<Json<Box<RawValue>>> = row.try_get("result")?;
        Ok(Self {
            id: row.try_get("id")?,
            status: row.try_get::<_, &str>("status")?.parse()?,
            attempts: row.try_get("attempts")?,
            result: result.map(|Json(text)| json::value(&text)),
            error_code: row.try_get("error_code")?,
            ended_at: row.try_get("ended_at")?,
        })
    }
}
