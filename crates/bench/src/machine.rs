//! Where the figures come from: machine, server, settings, and what a commit costs there.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::Result;
use serde::Serialize;
use tokio_postgres::types::Type;

use crate::spread::Samples;
use crate::target::Session;

/// Everything that a figure depends on and that is not an option.
#[derive(Debug, Default, Clone, Serialize)]
pub(crate) struct Surroundings {
    fairclaim: &'static str,
    build: &'static str,
    cpu: String,
    cores: usize,
    postgresql: String,
    settings: BTreeMap<String, String>,
}

/// The settings that change figures most.
const SETTINGS: [&str; 8] = [
    "shared_buffers",
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "max_wal_size",
    "checkpoint_timeout",
    "autovacuum",
    "wal_level",
];

impl Surroundings {
    pub(crate) async fn look(session: &Session) -> Result<Self> {
        let text = "select name, current_setting(name) from unnest($1) name";
        let rows = session.query_typed(text, &[(&&SETTINGS[..], Type::TEXT_ARRAY)]).await?;
        let version =
            session.query_typed_one("select current_setting('server_version')", &[]).await?;
        Ok(Self {
            fairclaim: env!("CARGO_PKG_VERSION"),
            build: if cfg!(debug_assertions) { "debug" } else { "release" },
            cpu: cpu_model(),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            postgresql: version.get(0),
            settings: rows.iter().map(|row| (row.get(0), row.get(1))).collect(),
        })
    }

    pub(crate) fn render(&self) -> String {
        let settings: Vec<String> =
            self.settings.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!(
            "fairclaim {} ({} build), {} cores, {}\nPostgreSQL {}, {}\n",
            self.fairclaim,
            self.build,
            self.cores,
            self.cpu,
            self.postgresql,
            settings.join(" ")
        )
    }
}

fn cpu_model() -> String {
    let model = std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    model.unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}

/// What it costs to make one tiny record durable, in milliseconds: the median commit of such a
/// record, less the median round trip of a statement that writes nothing.
pub(crate) async fn commit_cost(session: &Session, rounds: usize) -> Result<f64> {
    let write = "select pg_logical_emit_message(true, 'fairclaim bench', '')";
    let commit = median_of(session, write, rounds).await?;
    let round_trip = median_of(session, "select 1", rounds).await?;
    Ok((commit - round_trip).max(0.0))
}

async fn median_of(session: &Session, text: &str, rounds: usize) -> Result<f64> {
    let mut took = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let start = Instant::now();
        session.query_typed(text, &[]).await?;
        took.push(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(Samples::of(took).percentile(0.5))
}
