//! `fairclaim queues stats`: what each queue does, and how fair it is.

use clap::Args;
use fairclaim::{Client, QueueStats};

use crate::output::{Cell, Table};
use crate::{figure, output};

pub(super) const HELP: &str = "\
WAITING, OLDEST and RUNNING are counted now, up to 1,000; the rest is what the last refresh noted.
IN, DONE and FAILED are of the last minute; WAIT and RUN the median and the 99th percentile of the
jobs that ended last, right to 5 seconds. FAIR is Jain's index of the last minute, in claims: 1 when
all tenants with a backlog got the same for their weights, 1/n when one of n got everything.

Examples:
  fairclaim queues stats
  fairclaim queues stats mail --json";

#[derive(Debug, Args)]
pub(super) struct StatsArgs {
    /// Only this queue
    queue: Option<String>,
    /// Answer in JSON, with the last hour too
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(client: &Client, args: &StatsArgs) -> anyhow::Result<()> {
    let queues = client.queue_stats(args.queue.as_deref()).await?;
    if args.json {
        return output::json(&serde_json::json!({ "queues": queues }));
    }
    if queues.is_empty() {
        return output::line("no queues");
    }
    let mut table = Table::new([
        "QUEUE", "WAITING", "OLDEST", "RUNNING", "IN", "DONE", "FAILED", "WAIT", "RUN", "FAIR",
    ]);
    for queue in &queues {
        table.row(cells(queue).map(Cell::from));
    }
    output::line(table.render())
}

fn cells(row: &QueueStats) -> [String; 10] {
    let is_more = |name: &str| row.at_least.iter().any(|column| column == name);
    [
        row.queue.clone(),
        figure::count(row.waiting, is_more("waiting")),
        figure::span(row.oldest_waiting),
        figure::count(row.running, is_more("running")),
        figure::number(row.minute.dispatched),
        figure::number(row.minute.finished),
        figure::number(row.minute.failed),
        figure::pair(row.spans.wait_p50, row.spans.wait_p99),
        figure::pair(row.spans.run_p50, row.spans.run_p99),
        row.jain_claims_1m.map_or_else(|| "-".to_owned(), |index| format!("{index:.2}")),
    ]
}
