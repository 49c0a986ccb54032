//! `fairclaim jobs list`: a page of jobs, once or again and again, or all pages as they come.

use std::time::Duration;

use clap::Args;
use fairclaim::{Client, JobFilter, JobPage};
use uuid::Uuid;

use super::filter::FilterArgs;
use super::table::{self, JobTable};
use super::watch;
use crate::global::Global;
use crate::{connect, output, value};

/// How many jobs a page has, when all of them are asked for.
const ALL_PAGE: i32 = 1000;

const EXAMPLES: &str = "\
ATTEMPTS is 3/25 where the third attempt runs or has failed and 25 may fail; where some were snoozed
or given back, or an operator ran the job again, it says how many there were and how many are left.
NEXT is when the job can be claimed. Its last error has a line of its own where the terminal is too
narrow for a column; the message is for a login with fairclaim_auditor, others see the code.

To see it change: fairclaim jobs list --status processing --watch

A filter that few jobs match looks through all the others: give it a tenant, or --newer-than.

Examples:
  fairclaim jobs list --status failed --newer-than 1d
  fairclaim jobs list --tenant acme --error timeout --json
  fairclaim jobs list --queue default --all";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ListArgs {
    #[command(flatten)]
    filter: FilterArgs,
    /// How many, up to 1000
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i32).range(1..=1000))]
    limit: i32,
    /// Only jobs dispatched before this one: the last id of the page before
    #[arg(long, value_name = "ID", value_parser = crate::value::job_id)]
    before: Option<Uuid>,
    /// All of them, a page after the other, as they are read
    #[arg(long, conflicts_with = "limit")]
    all: bool,
    /// Look again every 2 seconds, or as often as is said; Ctrl-C ends it
    #[arg(
        long,
        value_name = "SECONDS",
        num_args = 0..=1,
        default_missing_value = "2",
        value_parser = pause,
        conflicts_with = "all"
    )]
    watch: Option<Duration>,
    /// Answer in JSON: {"jobs": […], "next": id to pass to --before, or null}; with --watch one
    /// line each time
    #[arg(long)]
    json: bool,
}

/// Reads how long to wait between two looks: looking is not free, so there is a pause.
fn pause(text: &str) -> Result<Duration, String> {
    let pause = value::duration(text)?;
    let bounds = Duration::from_millis(200)..=Duration::from_secs(3600);
    if bounds.contains(&pause) {
        Ok(pause)
    } else {
        Err("it must be from 0.2 to 3600 seconds".to_owned())
    }
}

pub(super) async fn run(global: &Global, args: &ListArgs) -> anyhow::Result<()> {
    let client = connect::client(global).await?;
    let limit = if args.all { ALL_PAGE } else { args.limit };
    let filter = JobFilter { before: args.before, limit: Some(limit), ..args.filter.filter() };
    if let Some(pause) = args.watch {
        return watch::run(&client, &filter, pause, args.json).await;
    }
    match (args.all, args.json) {
        (true, true) => all_in_json(&client, filter).await,
        (true, false) => all_in_a_table(&client, filter).await,
        (false, true) => output::json(&client.jobs(&filter).await?),
        (false, false) => one_page(&client.jobs(&filter).await?),
    }
}

fn one_page(page: &JobPage) -> anyhow::Result<()> {
    output::line(table::page_lines(page).join("\n"))
}

async fn all_in_a_table(client: &Client, mut filter: JobFilter) -> anyhow::Result<()> {
    let mut table = JobTable::new();
    let mut none = true;
    loop {
        let page = client.jobs(&filter).await?;
        none &= page.jobs.is_empty();
        if !page.jobs.is_empty() {
            output::line(table.lines(&page.jobs).join("\n"))?;
        }
        match page.next {
            Some(_) if output::is_closed() => return Ok(()),
            Some(next) => filter.before = Some(next),
            None if none => return output::line("no jobs"),
            None => return Ok(()),
        }
    }
}

/// Writes the same document as one page does, while it is read: memory holds one page.
async fn all_in_json(client: &Client, mut filter: JobFilter) -> anyhow::Result<()> {
    let mut separator = "{\"jobs\": [\n";
    loop {
        let page = client.jobs(&filter).await?;
        for job in &page.jobs {
            output::part(&format!("{separator}{}", output::compact(job)?))?;
            separator = ",\n";
        }
        match page.next {
            Some(_) if output::is_closed() => return Ok(()),
            Some(next) => filter.before = Some(next),
            None if separator == ",\n" => return output::line("\n], \"next\": null}"),
            None => return output::line("{\"jobs\": [], \"next\": null}"),
        }
    }
}
