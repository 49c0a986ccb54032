//! Fills a queue in bulk.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::crew::Crew;
use crate::target::Site;

/// The type that all jobs of a benchmark have, unless it is about types.
pub(crate) const TYPE: &str = "bench";

/// One dispatch of a tenant, a type, a payload and a queue.
pub(crate) const DISPATCH: &str = "select fairclaim.dispatch_job($1, $2, $3::text::jsonb, $4)";

/// Many of them.
pub(crate) const DISPATCH_MANY: &str =
    "select count(*) from fairclaim.dispatch_jobs($1::text::jsonb)";

/// Connections of a load.
const CONNECTIONS: usize = 2;

/// What the jobs of a load are like, beyond whose they are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    /// How many types they have in turn; a single one is [`TYPE`].
    pub(crate) types: u64,
    pub(crate) priority: i32,
    /// Bytes of a payload that hardly compresses; none for the usual 200 bytes, which compress
    /// well.
    pub(crate) bytes: Option<usize>,
}

impl Default for Kind {
    fn default() -> Self {
        Self { types: 1, priority: 0, bytes: None }
    }
}

impl Kind {
    pub(crate) fn payload(&self, number: u64) -> String {
        self.bytes.map_or_else(|| payload(number), |bytes| varied(number, bytes))
    }
}

/// The type with a number, where jobs have `types` of them.
pub(crate) fn type_name(number: u64, types: u64) -> String {
    if types == 1 { TYPE.to_owned() } else { format!("{TYPE}-{}", number % types) }
}

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

/// One batch for each of so many tenants after the first, with so many jobs of it.
pub(crate) fn one_each(tenants: u64, jobs: usize) -> Vec<Batch> {
    (1..=tenants).map(|who| vec![tenant(who); jobs]).collect()
}

/// Fewer and longer batches: each of them consists of `some` of these.
pub(crate) fn together(batches: &[Batch], some: usize) -> Vec<Batch> {
    batches.chunks(some).map(<[Batch]>::concat).collect()
}

/// So many thousand jobs of one tenant.
pub(crate) fn flood(jobs: u64) -> Vec<Batch> {
    (0..jobs / 1_000).map(|_| vec![tenant(0); 1_000]).collect()
}

/// Dispatches the batches over two connections, in order as far as that goes.
pub(crate) async fn load(site: &Site, batches: Vec<Batch>, kind: Kind) -> Result<Duration> {
    let (batches, next) = (Arc::new(batches), Arc::new(AtomicUsize::new(0)));
    let (sessions, start) = (site.sessions(CONNECTIONS).await?, Instant::now());
    let crew = Crew::start(sessions, |session, _| {
        let (batches, next, queue) = (batches.clone(), next.clone(), site.queue.clone());
        async move {
            while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
                let document = document(batch, &queue, kind);
                session.query_typed_one(DISPATCH_MANY, &[(&document, Type::TEXT)]).await?;
            }
            Ok(())
        }
    });
    crew.ended().await?;
    Ok(start.elapsed())
}

/// The argument of `dispatch_jobs`.
pub(crate) fn document(batch: &[Uuid], queue: &str, kind: Kind) -> String {
    let mut text = String::with_capacity(batch.len() * (140 + kind.bytes.unwrap_or(200)));
    text.push('[');
    for (number, tenant) in (0_u64..).zip(batch) {
        let comma = if number == 0 { "" } else { "," };
        let kind_of = type_name(number, kind.types);
        let payload = kind.payload(number);
        let _ = write!(
            text,
            r#"{comma}{{"tenant_id":"{tenant}","type":"{kind_of}","queue":"{queue}","payload":{payload}"#
        );
        if kind.priority != 0 {
            let _ = write!(text, r#","priority":{}"#, kind.priority);
        }
        text.push('}');
    }
    text.push(']');
    text
}

/// A payload of 200 bytes.
fn payload(number: u64) -> String {
    let head = format!(r#"{{"n": {number}, "text": ""#);
    let filler = 200 - head.len() - 2;
    format!("{head}{:x<filler$}\"}}", "")
}

/// A payload of so many bytes, at least 60, in fields of random-looking digits: one that is stored
/// as large as it is.
fn varied(number: u64, bytes: usize) -> String {
    const FIELD: usize = 64;
    let mut text = format!(r#"{{"n": {number}"#);
    let mut state = number;
    for field in 0.. {
        let _ = write!(text, r#", "f{field}": ""#);
        // what closes this field and the document takes two characters; a last field may be longer
        let room = bytes.saturating_sub(text.len() + 2);
        let end = text.len() + if room > 2 * FIELD { FIELD } else { room };
        while text.len() < end {
            // the generator that is known as splitmix64
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            let _ = write!(text, "{:016x}", mixed ^ (mixed >> 31));
        }
        text.truncate(end);
        text.push('"');
        if room <= 2 * FIELD {
            break;
        }
    }
    text.push('}');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varied_payloads_have_the_bytes_that_were_asked_for_and_parse() {
        for bytes in [60, 200, 201, 263, 1_000, 2_000, 4_000] {
            for number in [0, 7, 123_456] {
                let text = varied(number, bytes);
                assert_eq!(text.len(), bytes);
                assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap()["n"], number);
            }
        }
    }

    #[test]
    fn a_document_names_what_its_kind_says() {
        let kind = Kind { types: 2, priority: 1, bytes: Some(300) };
        let text = document(&[tenant(1), tenant(1), tenant(2)], "q", kind);
        let jobs: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
        let types: Vec<&str> = jobs.iter().filter_map(|job| job["type"].as_str()).collect();
        assert_eq!(types, ["bench-0", "bench-1", "bench-0"]);
        assert!(jobs.iter().all(|job| job["priority"] == 1));
    }

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
