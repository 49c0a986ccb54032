//! Dispatches many jobs in few calls: it cuts the list, writes the items, and counts the index that
//! an error names.

use tokio_postgres::{GenericClient, types::Json};
use uuid::Uuid;

use crate::{
    client::{executor::Executor, via::Via},
    error::Result,
    protocol::{dispatch::Dispatch, statements::DISPATCH_MANY},
};

/// How many jobs one call takes, and about how many bytes of JSON, which is well within the
/// protocol's 64 MiB.
const CALL_JOBS_MAX: usize = 10_000;
const CALL_BYTES_MAX: usize = 16 << 20;

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
    for call in calls(jobs) {
        for row in DISPATCH_MANY
            .rows_via(via, &[&Json(call)])
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
    calls(jobs).nth(1).is_none()
}

/// Cuts a list into the parts that travel in one call each.
fn calls(jobs: &[Dispatch]) -> impl Iterator<Item = &[Dispatch]> {
    let mut rest = jobs;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fitting = rest
            .iter()
            .take(CALL_JOBS_MAX)
            .take_while(|job| {
                bytes += about_bytes(job);
                bytes <= CALL_BYTES_MAX
            })
            .count();
        let (call, left) = rest.split_at(fitting.max(1).min(rest.len()));
        rest = left;
        (!call.is_empty()).then_some(call)
    })
}

/// Estimates how many bytes a job takes in a list.
fn about_bytes(job: &Dispatch) -> usize {
    300 + job.payload.get().len()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn job(payload: Value) -> Dispatch {
        Dispatch::raw(Uuid::nil(), "send_mail", payload).unwrap()
    }

    #[test]
    fn calls_are_bounded_by_number_and_by_bytes() {
        let small = vec![job(json!(0)); 20_001];
        assert_eq!(calls(&small).map(<[_]>::len).collect::<Vec<_>>(), [10_000, 10_000, 1]);
        let large = vec![job(json!("x".repeat(10 << 20))); 3];
        assert_eq!(calls(&large).map(<[_]>::len).collect::<Vec<_>>(), [1, 1, 1]);
        let huge = vec![job(json!("x".repeat(CALL_BYTES_MAX))); 2];
        assert_eq!(calls(&huge).map(<[_]>::len).collect::<Vec<_>>(), [1, 1]);
        assert_eq!(calls(&[]).count(), 0);
    }
}
