//! Dispatches many jobs in few calls: it cuts the list, writes the items, and counts the index that
//! an error names.

use serde::{Serialize, Serializer, ser::SerializeMap};
use tokio_postgres::{GenericClient, types::Json};
use uuid::Uuid;

use super::{Dispatch, Due};
use crate::{
    error::Result,
    executor::Executor,
    statements::{DISPATCH_MANY, Via},
    tenant::Tenant,
    timestamp,
};

/// How many jobs one call takes, and about how many bytes of JSON, which is well within the
/// protocol's 64 MiB.
const BATCH_JOBS_MAX: usize = 10_000;
const BATCH_BYTES_MAX: usize = 16 << 20;

/// Writes the job as an item of `dispatch_jobs`. Defaults are left out, to keep the list small.
impl Serialize for Dispatch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut item = serializer.serialize_map(None)?;
        match self.tenant.0.as_ref().map(|tenant| (tenant, Tenant::name(tenant))) {
            Some((_, Some(name))) => item.serialize_entry("tenant", name)?,
            Some((tenant, None)) => item.serialize_entry("tenant_id", tenant)?,
            None => {}
        }
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
            item.serialize_entry("timeout", &timeout.as_secs_f64())?;
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

/// Dispatches many jobs on this connection or in this transaction. The ids come in the order of the
/// jobs.
///
/// More than 10,000 jobs, or 16 MiB of payloads, travel in several calls. Pass a transaction, so
/// that either all of them commit or none.
///
/// # Errors
/// As [`Dispatch::execute`]; [`Error::item`](crate::Error::item) is the index of the bad job,
/// counted from 0.
pub async fn dispatch_many_in<E: Executor>(
    on: &E,
    jobs: impl IntoIterator<Item = Dispatch>,
) -> Result<Vec<Uuid>> {
    let jobs: Vec<Dispatch> = jobs.into_iter().collect();
    send_many(&Via::whole(on.driver()), &jobs).await
}

/// Sends the calls one after the other.
pub(crate) async fn send_many<C: GenericClient + Sync>(
    via: &Via<'_, C>,
    jobs: &[Dispatch],
) -> Result<Vec<Uuid>> {
    check_all(jobs)?;
    let mut ids = Vec::with_capacity(jobs.len());
    for batch in batches(jobs) {
        for row in DISPATCH_MANY
            .rows_via(via, &[&Json(batch)])
            .await
            .map_err(|error| error.behind(ids.len()))?
        {
            ids.push(row.try_get(0)?);
        }
    }
    Ok(ids)
}

/// Refuses a job that must not be sent, and names its index.
pub(super) fn check_all(jobs: &[Dispatch]) -> Result<()> {
    jobs.iter()
        .enumerate()
        .try_for_each(|(index, job)| job.check().map_err(|error| error.of_job(index)))
}

/// Says whether these jobs travel in one call, which is a transaction by itself.
pub(crate) fn is_one_call(jobs: &[Dispatch]) -> bool {
    batches(jobs).nth(1).is_none()
}

/// Cuts a list into the parts that travel in one call each.
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

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use serde_json::{Value, json};

    use super::*;

    fn job(payload: Value) -> Dispatch {
        Dispatch::raw(Uuid::nil(), "send_mail", payload).unwrap()
    }

    #[test]
    fn an_item_of_a_batch_leaves_defaults_out() {
        let plain = serde_json::to_value(job(json!({"a": 1}))).unwrap();
        assert_eq!(
            plain,
            json!({"tenant_id": Uuid::nil(), "type": "send_mail", "payload": {"a": 1}})
        );
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
            "run_at": "1970-01-01T00:00:00.000000Z", "max_attempts": 2, "timeout": 1.5, "tags": ["t"],
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
}
