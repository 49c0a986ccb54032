//! `fairclaim queues`: what waits in each, and stopping one.

mod stats;

use clap::{Args, Subcommand};
use fairclaim::{Client, FairBy, QueueChange, QueueFairness, QueueRow};
use indicatif::{HumanCount, HumanDuration};

use crate::command::tenants::{self, drain::sentence};
use crate::global::Global;
use crate::output::{Cell, Table};
use crate::reason::ReasonArgs;
use crate::{color, connect, output, value};

const EXAMPLES: &str = "\
Examples:
  fairclaim queues list
  fairclaim queues pause mail
  fairclaim queues resume mail
  fairclaim queues fair-by mail seconds";

/// A queue exists by use: it is listed while jobs wait, run or are scheduled in it, for an hour
/// after, and while it is paused. Needs the role fairclaim_operator.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct QueuesArgs {
    #[command(subcommand)]
    command: QueuesCommand,
}

#[derive(Debug, Subcommand)]
enum QueuesCommand {
    /// List queues: how much waits, of how many tenants, since when
    #[command(after_help = LIST_HELP)]
    List(ListArgs),
    /// Tell what each queue does: rates, waits, runs, and how fair it is
    #[command(after_help = stats::HELP)]
    Stats(stats::StatsArgs),
    /// Stop a queue: workers get no more of its jobs; dispatch and running jobs go on
    #[command(after_help = "Examples:\n  fairclaim queues pause mail")]
    Pause(NameArgs),
    /// Limit how many jobs of a queue run at the same time, those of all tenants together
    #[command(after_help = LIMIT_HELP)]
    Limit(LimitArgs),
    /// Let a paused queue go on, at once
    #[command(after_help = "Examples:\n  fairclaim queues resume mail")]
    Resume(NameArgs),
    /// Take no new jobs in a queue; what waits or runs is finished
    #[command(after_help = "Examples:\n  fairclaim queues drain mail --why 'it moves to bulk'")]
    Drain(DrainArgs),
    /// Take jobs in a drained queue again
    #[command(after_help = "Examples:\n  fairclaim queues undrain mail")]
    Undrain(DrainArgs),
    /// Say by what tenants share a queue: claims, or the time of handlers
    #[command(name = "fair-by", after_help = FAIR_BY_HELP)]
    FairBy(FairByArgs),
}

const FAIR_BY_HELP: &str = "\
By claims, which is how a queue begins, tenants with a backlog get as many jobs as their weights
say. By seconds they get as much time of handlers: for queues where the jobs of some tenants run
for longer than those of others. Workers learn the run times within seconds.

Examples:
  fairclaim queues fair-by mail seconds
  fairclaim queues fair-by mail claims";

/// What a queue can be fair by, as a word of the command line.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum FairByWord {
    Claims,
    Seconds,
}

#[derive(Debug, Args)]
struct FairByArgs {
    /// The queue's name
    queue: String,
    /// What tenants get the same of, by their weights
    fair_by: FairByWord,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

const LIST_HELP: &str = "\
Counting stops at 10,000 (shown as 10,000+). What has ended is not counted:
`fairclaim jobs list --queue NAME --status failed` lists it.

Examples:
  fairclaim queues list
  fairclaim queues list --json";

const LIMIT_HELP: &str = "\
It is exact, however many workers there are; what runs already goes on. base takes it back to what
`fairclaim tenants declare` has declared.

Examples:
  fairclaim queues limit mail 100
  fairclaim queues limit mail 5 --for 1h --why 'their server is slow'
  fairclaim queues limit mail base";

#[derive(Debug, Args)]
struct ListArgs {
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct NameArgs {
    /// The queue's name
    queue: String,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct DrainArgs {
    /// The queue's name
    queue: String,
    /// Why, for the audit table
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct LimitArgs {
    /// The queue's name
    queue: String,
    /// How many of its jobs may run at the same time; base takes it back to what was declared
    #[arg(value_name = "MAX", value_parser = tenants::amount)]
    max_running: tenants::Amount,
    #[command(flatten)]
    reason: ReasonArgs,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(global: &Global, args: QueuesArgs) -> anyhow::Result<()> {
    let client = connect::client(global).await?;
    let (change, json, done) = match args.command {
        QueuesCommand::List(args) => return list(&client.queues().await?, args.json),
        QueuesCommand::FairBy(args) => {
            let fair_by = match args.fair_by {
                FairByWord::Claims => FairBy::Claims,
                FairByWord::Seconds => FairBy::Seconds,
            };
            return fair_by_set(&client.set_queue_fair_by(&args.queue, fair_by).await?, args.json);
        }
        QueuesCommand::Limit(args) => {
            let because = args.reason.because(&client).await?;
            let change = client.set_queue_limit(&args.queue, args.max_running.0, &because).await?;
            return tenants::answer(&change, None, args.json);
        }
        QueuesCommand::Stats(args) => return stats::run(&client, &args).await,
        QueuesCommand::Pause(args) => (
            client.pause_queue(&args.queue).await?,
            args.json,
            paused as fn(&QueueChange) -> String,
        ),
        QueuesCommand::Resume(args) => (
            client.resume_queue(&args.queue).await?,
            args.json,
            resumed as fn(&QueueChange) -> String,
        ),
        QueuesCommand::Drain(args) => return drain(&client, &args, true).await,
        QueuesCommand::Undrain(args) => return drain(&client, &args, false).await,
    };
    if json {
        return output::json(&change);
    }
    output::line(done(&change))?;
    note_unused(&change.queue, change.in_use)
}

fn note_unused(queue: &str, in_use: bool) -> anyhow::Result<()> {
    if in_use {
        return Ok(());
    }
    output::line(format!(
        "note: no job waits in {queue}, or has within the last hour; `fairclaim queues list` shows the names"
    ))
}

async fn drain(client: &Client, args: &DrainArgs, drains: bool) -> anyhow::Result<()> {
    let (queue, why) = (&args.queue, args.why.as_deref());
    let change = if drains {
        client.drain_queue(queue, why).await?
    } else {
        client.undrain_queue(queue, why).await?
    };
    if args.json {
        return output::json(&serde_json::json!({
            "queue": queue, "drained_at": change.drained_at.map(value::moment_text),
            "was_drained": change.was_drained, "in_use": change.in_use,
        }));
    }
    let end = format!("fairclaim queues undrain {queue}");
    output::line(sentence(queue, &change, drains, &end))?;
    note_unused(queue, change.in_use)
}

fn fair_by_set(change: &QueueFairness, json: bool) -> anyhow::Result<()> {
    if json {
        return output::json(change);
    }
    let (queue, now) = (&change.queue, change.fair_by.as_str());
    output::line(if change.fair_by == change.was_fair_by {
        format!("{queue} was fair by {now} already")
    } else {
        format!("{queue} is fair by {now} from the next tick on")
    })?;
    note_unused(queue, change.in_use)
}

fn paused(change: &QueueChange) -> String {
    let since = change.paused_at.map_or_else(|| "?".to_owned(), value::moment_text);
    let name = &change.queue;
    if change.was_paused {
        format!("{name} was paused already, since {since}")
    } else {
        format!("paused {name}; running jobs go on, `fairclaim queues resume {name}` ends it")
    }
}

fn resumed(change: &QueueChange) -> String {
    if change.was_paused {
        format!("resumed {}", change.queue)
    } else {
        format!("{} was not paused", change.queue)
    }
}

fn list(queues: &[QueueRow], json: bool) -> anyhow::Result<()> {
    if json {
        return output::json(&serde_json::json!({ "queues": queues }));
    }
    if queues.is_empty() {
        return output::line("no queues");
    }
    let mut table = Table::new([
        "QUEUE",
        "STATE",
        "WAITING",
        "TENANTS",
        "OLDEST",
        "SCHEDULED",
        "RUNNING",
        "FAIR BY",
    ]);
    for queue in queues {
        let number = |name: &str, count: i32| {
            let more = if queue.at_least.iter().any(|column| column == name) { "+" } else { "" };
            Cell::from(format!("{}{more}", HumanCount(u64::from(count.unsigned_abs()))))
        };
        let state = match (queue.paused_at, queue.drained_at) {
            (Some(since), _) => {
                Cell::styled(&format!("paused {}", value::moment_text(since)), color::warning())
            }
            (None, Some(since)) => {
                Cell::styled(&format!("drained {}", value::moment_text(since)), color::warning())
            }
            (None, None) => Cell::from("open".to_owned()),
        };
        let oldest = queue
            .oldest_waiting
            .map_or_else(|| "-".to_owned(), |age| HumanDuration(age).to_string());
        table.row([
            Cell::from(queue.queue.clone()),
            state,
            number("waiting", queue.waiting),
            number("tenants_waiting", queue.tenants_waiting),
            Cell::from(oldest),
            number("scheduled", queue.scheduled),
            number("running", queue.running),
            Cell::from(queue.fair_by.as_str().to_owned()),
        ]);
    }
    output::line(table.render())
}
