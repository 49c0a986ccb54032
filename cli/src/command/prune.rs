//! `fairclaim prune`: the history that is past retention.

use std::time::Duration;

use clap::Args;
use fairclaim::Pruned;
use indicatif::{HumanCount, ProgressBar};

use crate::global::Global;
use crate::{connect, output, value};

const EXAMPLES: &str = "\
Examples:
  fairclaim prune
  fairclaim prune --retention 30d --json";

/// Jobs that were dispatched and have ended before the retention began, with their errors. Ranges of
/// time are dropped whole where every job in them has ended so long ago; else the ended ones are
/// deleted one by one. Workers do this every ten minutes by themselves.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct PruneArgs {
    /// Another retention than the one that is set, at least 1h; needs fairclaim_operator
    #[arg(long, value_name = "AGE", value_parser = value::duration)]
    retention: Option<Duration>,
    /// Answer in JSON: {"ranges_dropped": n, "rows_deleted": n}
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(global: &Global, args: &PruneArgs) -> anyhow::Result<()> {
    let client = connect::client(global).await?;
    let bar = ProgressBar::new_spinner();
    let mut sum = Pruned::default();
    loop {
        let step = client.prune(args.retention).await?;
        if step.is_nothing() {
            break;
        }
        sum.ranges_dropped += step.ranges_dropped;
        sum.rows_deleted += step.rows_deleted;
        bar.set_message(sentence(sum));
        bar.tick();
    }
    bar.finish_and_clear();
    if args.json { output::json(&sum) } else { output::line(sentence(sum)) }
}

fn sentence(sum: Pruned) -> String {
    if sum.is_nothing() {
        return "nothing is past retention, or what is is in use just now".to_owned();
    }
    let ranges = match sum.ranges_dropped {
        1 => "1 range of jobs".to_owned(),
        ranges => format!("{ranges} ranges of jobs"),
    };
    let jobs = HumanCount(sum.rows_deleted.unsigned_abs());
    format!("dropped {ranges}, deleted {jobs} jobs one by one")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prune_says_what_it_did() {
        let pruned = |ranges_dropped, rows_deleted| Pruned { ranges_dropped, rows_deleted };
        assert!(sentence(pruned(0, 0)).starts_with("nothing"));
        assert_eq!(sentence(pruned(1, 0)), "dropped 1 range of jobs, deleted 0 jobs one by one");
        assert_eq!(
            sentence(pruned(2, 10_000)),
            "dropped 2 ranges of jobs, deleted 10,000 jobs one by one"
        );
    }
}
