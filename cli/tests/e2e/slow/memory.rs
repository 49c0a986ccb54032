//! `dispatch --file` takes the same memory for a file of any length.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{TestServer, peak_memory_kb, start, stderr};

const SHORT: u32 = 50_000;
const LONG: u32 = 5 * SHORT;
/// What the long file may take of memory, as a share of what the short one took.
const GROWTH: f64 = 1.3;
/// And at all.
const KIBIBYTES_MAX: u64 = 64 << 10;

/// A file that goes away.
struct Lines(PathBuf);

impl Lines {
    /// Some 80 bytes a line, as small jobs are.
    fn write(count: u32) -> Self {
        let name = format!("fc-memory-{}.jsonl", Uuid::new_v4().simple());
        let path = std::env::temp_dir().join(name);
        let mut file = BufWriter::new(File::create_new(&path).unwrap());
        for n in 0..count {
            let (tenant, to) = (format!("tenant-{}", n % 50), format!("user-{n}@example.org"));
            let payload = json!({"of": count, "n": n, "to": to});
            writeln!(file, "{}", json!({"tenant": tenant, "type": "mail", "payload": payload}))
                .unwrap();
        }
        file.flush().unwrap();
        Self(path)
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Dispatches a file of so many lines, checks that each is a job, and answers the most memory that
/// it took.
async fn peak(server: &TestServer, count: u32) -> u64 {
    let file = Lines::write(count);
    let args = ["dispatch", "--json", "--file", file.0.to_str().unwrap()];
    let running = start(&mut server.fairclaim(args));
    let pid = running.pid();
    let ended = tokio::task::spawn_blocking(move || running.end());
    let mut peak = 0;
    while !ended.is_finished() {
        // it only grows, and is gone with the process
        peak = peak_memory_kb(pid).unwrap_or(peak);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let output = ended.await.unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let totals: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&totals["dispatched"], &totals["refused"]), (&json!(count), &json!(0)), "{totals}");
    let jobs = format!(
        "select count(*), count(distinct j.payload -> 'n') from fairclaim_internal.job j
          where j.payload ->> 'of' = '{count}'"
    );
    let row = &server.read(&jobs).await[0];
    let (jobs, distinct): (i64, i64) = (row.get(0), row.get(1));
    assert_eq!((jobs, distinct), (i64::from(count), i64::from(count)));
    let a_second = f64::from(count) / totals["seconds"].as_f64().unwrap();
    println!("{count} lines: {a_second:.0} jobs a second, {peak} KiB of memory at most");
    peak
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: cargo xtask test --slow"]
async fn a_file_of_any_length_is_dispatched_in_the_same_memory() {
    if !Path::new("/proc/self/status").exists() {
        println!("memory of a dispatched file: NOT RUN, only Linux says what a process took");
        return;
    }
    let server = TestServer::installed().await;
    let (short, long) = (peak(&server, SHORT).await, peak(&server, LONG).await);
    assert!(short > 0, "its memory was never seen");
    let share = long as f64 / short as f64;
    assert!(share <= GROWTH, "{LONG} lines took {share:.2} times the memory of {SHORT}");
    assert!(long < KIBIBYTES_MAX, "{long} KiB");
}
