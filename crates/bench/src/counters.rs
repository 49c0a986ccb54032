//! What the server counts by itself: transactions of the database, and processor time of its
//! processes.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::target::Site;

/// Transactions so far, and how many processes of others are connected.
const TRANSACTIONS: &str = "select xact_commit + xact_rollback, pg_backend_pid()
  from pg_stat_database where datname = current_database()";

/// Sessions of workers, which a scenario starts and ends; its own connections stay in their pool.
const WORKERS: &str = "select count(*) from pg_stat_activity
  where datname = current_database() and backend_type = 'client backend'
    and application_name <> 'fairclaim bench'";

/// How many parts of a second the kernel counts processor time in, for programs on Linux.
const TICKS_A_SECOND: f64 = 100.0;

/// What the server had done until a moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counters {
    transactions: i64,
    /// Seconds; only for a private server, which is on this machine, and where there is `/proc`.
    cpu: Option<f64>,
}

impl Counters {
    pub(crate) async fn read(site: &Site) -> Result<Self> {
        let row = site.control.query_typed_one(TRANSACTIONS, &[]).await?;
        let cpu = if site.is_private() { server_cpu(row.get(1)) } else { None };
        Ok(Self { transactions: row.get(0), cpu })
    }

    /// Waits until workers that were stopped are gone: a session that ends hands in what it has
    /// counted, one that lives may keep it for ten seconds.
    pub(crate) async fn read_after_workers(site: &Site) -> Result<Self> {
        let start = Instant::now();
        while site.control.query_typed_one(WORKERS, &[]).await?.get::<_, i64>(0) > 0
            && start.elapsed() < Duration::from_secs(5)
        {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Self::read(site).await
    }

    /// Transactions between two moments, without the one that counted the first.
    pub(crate) fn transactions_since(&self, before: &Self) -> f64 {
        (self.transactions - before.transactions - 1).max(0) as f64
    }

    /// Seconds of processor time between two moments, of all processes of the server.
    pub(crate) fn cpu_since(&self, before: &Self) -> Option<f64> {
        Some((self.cpu? - before.cpu?).max(0.0))
    }
}

/// Processor time of the server that has this process, in seconds.
fn server_cpu(backend: i32) -> Option<f64> {
    let postmaster = Times::of(backend)?.parent;
    let mut total = Times::of(postmaster)?.with_ended_children;
    for entry in fs::read_dir("/proc").ok()?.flatten() {
        let number = entry.file_name().to_str().and_then(|name| name.parse().ok());
        // it may have ended since it was listed
        let child = number.and_then(Times::of).filter(|times| times.parent == postmaster);
        total += child.map_or(0.0, |times| times.own);
    }
    Some(total)
}

/// One process, in `/proc/<number>/stat`.
struct Times {
    parent: i32,
    own: f64,
    with_ended_children: f64,
}

impl Times {
    fn of(process: i32) -> Option<Self> {
        Self::read(&fs::read_to_string(format!("/proc/{process}/stat")).ok()?)
    }

    /// The name of the program stands in brackets, and may hold spaces and brackets.
    fn read(stat: &str) -> Option<Self> {
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = |field: usize| fields.get(field)?.parse::<f64>().ok();
        let own = (ticks(11)? + ticks(12)?) / TICKS_A_SECOND;
        let ended = (ticks(13)? + ticks(14)?) / TICKS_A_SECOND;
        let parent = fields.get(1)?.parse().ok()?;
        Some(Self { parent, own, with_ended_children: own + ended })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_read_behind_a_name_with_brackets() {
        let stat = "42 (postgres: (a b)) S 7 42 42 0 -1 4194560 1 2 3 4 150 50 300 100 20 0 1 0 9";
        let times = Times::read(stat).unwrap();
        assert_eq!((times.parent, times.own, times.with_ended_children), (7, 2.0, 6.0));
    }
}
