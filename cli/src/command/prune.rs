//! `fairclaim prune`: the history that is past retention.

use std::{fmt::Write, time::Duration};

use clap::Args;
use fairclaim::Client;
use indicatif::ProgressBar;
use serde::Serialize;

use crate::global::Global;
use crate::words::counted;
use crate::{connect, output, value};

const EXAMPLES: &str = "\
Examples:
  fairclaim prune
  fairclaim prune --retention 30d --json";

/// Deletes jobs that ended before the retention began, with their errors. Ranges of ids are dropped
/// whole where every job in them ended so long ago; else the ended ones are deleted one by one.
/// Workers do both every minute by themselves; with the retention that is set, what they would drop
/// as a whole range soon is left to that. With --retention all goes at once.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct PruneArgs {
    /// Another retention than the one that is set, at least 1h; needs fairclaim_operator
    #[arg(long, value_name = "AGE", value_parser = value::duration)]
    retention: Option<Duration>,
    /// Answer in JSON: {"ranges_dropped": n, "rows_deleted": n, "passed_over": n, "ranges_in_use":
    /// n, "busy": false}
    #[arg(long)]
    json: bool,
}

/// What all calls together did.
#[derive(Debug, Default, Clone, Copy, Serialize)]
struct Sum {
    ranges_dropped: i32,
    rows_deleted: i64,
    /// How many jobs could not be deleted.
    passed_over: i32,
    /// How many ranges are in use by other transactions.
    ranges_in_use: i32,
    /// Whether another prune was at work all the time.
    busy: bool,
}

/// How often to ask again while another prune is at work, and how long to wait each time.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(100);

pub(crate) async fn run(global: &Global, args: &PruneArgs) -> anyhow::Result<()> {
    let client = connect::client(global).await?;
    let bar = ProgressBar::new_spinner();
    let mut sum = Sum::default();
    drop_ranges(&client, args, &mut sum, &bar).await?;
    prune(&client, args, &mut sum, &bar).await?;
    if sum.rows_deleted > 0 {
        drop_ranges(&client, args, &mut sum, &bar).await?; // some may be empty now
    }
    bar.finish_and_clear();
    if args.json { output::json(&sum) } else { output::line(sentence(sum)) }
}

async fn drop_ranges(
    client: &Client,
    args: &PruneArgs,
    sum: &mut Sum,
    bar: &ProgressBar,
) -> anyhow::Result<()> {
    loop {
        let step = client.drop_ranges(args.retention).await?;
        sum.ranges_in_use = step.ranges_in_use;
        if step.ranges_dropped == 0 {
            return Ok(());
        }
        sum.ranges_dropped += step.ranges_dropped;
        bar.set_message(sentence(*sum));
        bar.tick();
    }
}

async fn prune(
    client: &Client,
    args: &PruneArgs,
    sum: &mut Sum,
    bar: &ProgressBar,
) -> anyhow::Result<()> {
    let mut tries = 0;
    loop {
        let step = client.prune(args.retention).await?;
        sum.rows_deleted += step.rows_deleted;
        sum.passed_over += step.passed_over;
        sum.busy = step.busy;
        tries = if step.busy { tries + 1 } else { 0 };
        if !step.more || tries == TRIES {
            return Ok(());
        }
        if step.busy {
            tokio::time::sleep(PAUSE).await;
        }
        bar.set_message(sentence(*sum));
        bar.tick();
    }
}

fn sentence(sum: Sum) -> String {
    let mut text = if sum.ranges_dropped == 0 && sum.rows_deleted == 0 {
        "nothing is past retention that could be deleted just now".to_owned()
    } else {
        let ranges = counted(u64::from(sum.ranges_dropped.unsigned_abs()), "range");
        let jobs = counted(sum.rows_deleted.unsigned_abs(), "job");
        format!("dropped {ranges} of jobs, deleted {jobs} one by one")
    };
    if sum.passed_over > 0 {
        let _ = write!(text, "; {} could not be deleted: see `fairclaim doctor`", sum.passed_over);
    }
    if sum.busy {
        text.push_str("; another prune is at work");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prune_says_what_it_did() {
        let told = |ranges_dropped, rows_deleted| {
            sentence(Sum { ranges_dropped, rows_deleted, ..Sum::default() })
        };
        assert!(told(0, 0).starts_with("nothing"));
        assert_eq!(told(1, 0), "dropped 1 range of jobs, deleted 0 jobs one by one");
        assert_eq!(told(2, 10_000), "dropped 2 ranges of jobs, deleted 10,000 jobs one by one");
        let kept = Sum { rows_deleted: 1, passed_over: 2, busy: true, ..Sum::default() };
        assert!(sentence(kept).ends_with(
            "; 2 could not be deleted: see `fairclaim doctor`; another prune is at work"
        ));
    }
}
