//! Fills a queue in bulk.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio_postgres::types::Type;
use uuid::Uuid;

use super::place::Site;

/// The type that all jobs of a benchmark have.
pub(crate) const TYPE: &str = "bench";

/// The tenant with a number. Consecutive uuids, as a hand-numbered application would have.
pub(crate) fn tenant(number: u64) -> Uuid {
    Uuid::from_u64_pair(0x00fa_12c1_a100_8000, 0x8000_0000_0000_0000 | number)
}

/// One `dispatch_jobs`: whose the jobs are, in order.
pub(crate) type Batch = Vec<Uuid>;

/// `jobs` jobs in batches of `size`, dealt to `tenants` tenants in turn.
pub(crate) fn dealt(jobs: u64, tenants: u64, size: u64) -> Vec<Batch> {
    let starts = (0..jobs).step_by(usize::try_from(size).unwrap_or(usize::MAX));
    starts
        .map(|start| (start..jobs.min(start + size)).map(|job| tenant(job % tenants)).collect())
        .collect()
}

/// Dispatches the batches over some connections, in order as far as that goes.
pub(crate) async fn load(
    site: &Site,
    batches: Vec<Batch>,
    connections: usize,
) -> anyhow::Result<Duration> {
    let (batches, next) = (Arc::new(batches), Arc::new(AtomicUsize::new(0)));
    let mut sessions = Vec::new();
    for _ in 0..connections.max(1) {
        sessions.push(site.session().await?);
    }
    let start = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for session in sessions {
        let (batches, next, queue) = (batches.clone(), next.clone(), site.queue.clone());
        tasks.spawn(async move {
            let text = "select count(*) from fairclaim.dispatch_jobs($1::text::jsonb)";
            while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
                session.query_typed_one(text, &[(&document(batch, &queue), Type::TEXT)]).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(start.elapsed())
}

/// The argument of `dispatch_jobs`.
pub(crate) fn document(batch: &[Uuid], queue: &str) -> String {
    let mut text = String::with_capacity(batch.len() * 340);
    text.push('[');
    for (number, tenant) in batch.iter().enumerate() {
        let comma = if number == 0 { "" } else { "," };
        let payload = payload(number as u64);
        let _ = write!(
            text,
            r#"{comma}{{"tenant_id":"{tenant}","type":"{TYPE}","queue":"{queue}","payload":{payload}}}"#
        );
    }
    text.push(']');
    text
}

/// A payload of 200 bytes.
pub(crate) fn payload(number: u64) -> String {
    let head = format!(r#"{{"n": {number}, "text": ""#);
    let filler = 200 - head.len() - 2;
    format!("{head}{:x<filler$}\"}}", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_have_200_bytes_and_parse() {
        for number in [0, 7, 123_456] {
            let text = payload(number);
            assert_eq!(text.len(), 200);
            assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap()["n"], number);
        }
    }

    #[test]
    fn jobs_are_dealt_evenly() {
        let batches = dealt(2_500, 10, 1_000);
        assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [1_000, 1_000, 500]);
        let first = batches.iter().flatten().filter(|&&who| who == tenant(3)).count();
        assert_eq!(first, 250);
    }
}
