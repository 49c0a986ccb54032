//! `fairclaim workers`: who works, on what.

use clap::{Args, Subcommand};
use fairclaim::WorkerRow;
use indicatif::HumanDuration;

use crate::global::Global;
use crate::output::{Cell, Table};
use crate::{color, connect, output};

const EXAMPLES: &str = "\
Examples:
  fairclaim workers list
  fairclaim workers list --json";

/// Workers report every few seconds while they work, and seldom while they are idle. Needs the role
/// fairclaim_operator or fairclaim_observer.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct WorkersArgs {
    #[command(subcommand)]
    command: WorkersCommand,
}

#[derive(Debug, Subcommand)]
enum WorkersCommand {
    /// List workers: where they run, which queues with how many slots, which types
    #[command(after_help = LIST_HELP)]
    List(ListArgs),
}

const LIST_HELP: &str = "\
A worker that ended as it should is not listed. One that is gone without a word, or sleeps, is shown
as silent for an hour. RUNNING is how many jobs it holds; `fairclaim jobs release --worker ID` takes
them from one that is gone.

Examples:
  fairclaim workers list
  fairclaim workers list --json";

#[derive(Debug, Args)]
struct ListArgs {
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(global: &Global, args: WorkersArgs) -> anyhow::Result<()> {
    let client = connect::client(global).await?;
    let WorkersCommand::List(args) = args.command;
    let workers = client.workers().await?;
    if args.json {
        return output::json(&serde_json::json!({ "workers": workers }));
    }
    if workers.is_empty() {
        return output::line("no workers");
    }
    let mut table = Table::new([
        "WORKER",
        "STATE",
        "SEEN",
        "QUEUES (SLOTS)",
        "TYPES",
        "RUNNING",
        "VERSION",
        "HOST",
    ]);
    for worker in workers {
        table.row(row(&worker));
    }
    output::line(table.render())
}

fn row(worker: &WorkerRow) -> [Cell; 8] {
    let state = if worker.is_live {
        Cell::from("live".to_owned())
    } else {
        Cell::styled("silent", color::warning())
    };
    let seen = std::time::Duration::try_from_secs_f64(worker.seen_seconds).unwrap_or_default();
    let queues = worker.queues.iter().zip(&worker.slots);
    let queues: Vec<String> = queues.map(|(queue, slots)| format!("{queue} ({slots})")).collect();
    let types = worker.types.as_ref().map_or_else(|| "all".to_owned(), |types| types.join(" "));
    [
        Cell::from(worker.id.clone()),
        state,
        Cell::from(format!("{} ago", HumanDuration(seen))),
        Cell::from(queues.join(" ")),
        Cell::from(types),
        Cell::from(worker.running.to_string()),
        Cell::from(worker.version.clone()),
        Cell::from(worker.host.clone()),
    ]
}
