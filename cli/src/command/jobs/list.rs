//! `fairclaim jobs list`: a page of jobs, or all pages as they come.

use clap::Args;
use fairclaim::{Client, JobFilter, JobPage, JobRow};
use uuid::Uuid;

use super::filter::FilterArgs;
use crate::global::Global;
use crate::output::{Cell, Table};
use crate::{color, connect, output, value};

/// How many jobs a page has, when all of them are asked for.
const ALL_PAGE: i32 = 1000;

const EXAMPLES: &str = "\
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
    /// Answer in JSON: {"jobs": […], "next": id to pass to --before, or null}
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(global: &Global, args: &ListArgs) -> anyhow::Result<()> {
    let client = connect::client(global).await?;
    let limit = if args.all { ALL_PAGE } else { args.limit };
    let filter = JobFilter { before: args.before, limit: Some(limit), ..args.filter.filter() };
    match (args.all, args.json) {
        (true, true) => all_in_json(&client, filter).await,
        (true, false) => all_in_a_table(&client, filter).await,
        (false, true) => output::json(&client.jobs(&filter).await?),
        (false, false) => one_page(&client.jobs(&filter).await?),
    }
}

fn one_page(page: &JobPage) -> anyhow::Result<()> {
    if page.jobs.is_empty() {
        return output::line("no jobs");
    }
    let mut table = table();
    page.jobs.iter().for_each(|job| add(&mut table, job));
    output::line(table.render())?;
    match page.next {
        Some(next) => output::line(format!("more: --before {next}")),
        None => Ok(()),
    }
}

async fn all_in_a_table(client: &Client, mut filter: JobFilter) -> anyhow::Result<()> {
    let mut table = table();
    let mut none = true;
    loop {
        let page = client.jobs(&filter).await?;
        page.jobs.iter().for_each(|job| add(&mut table, job));
        none &= page.jobs.is_empty();
        if !page.jobs.is_empty() {
            output::line(table.render())?;
        }
        match page.next {
            Some(_) if output::is_closed() => return Ok(()),
            Some(next) => filter.before = Some(next),
            None if none => return output::line("no jobs"),
            None => return Ok(()),
        }
    }
}

/// The same document as a page, written as it is read: memory holds one page.
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

fn table() -> Table {
    Table::new(["ID", "STATUS", "QUEUE", "TYPE", "ATTEMPTS", "WORKER", "CREATED", "TENANT"])
}

fn add(table: &mut Table, job: &JobRow) {
    table.row([
        Cell::from(job.id.to_string()),
        Cell::styled(job.status.as_str(), color::of_status(job.status)),
        Cell::from(job.queue.clone()),
        Cell::from(job.job_type.clone()),
        Cell::from(format!("{}/{}", job.attempts, job.max_attempts)),
        Cell::from(job.worker_id.clone().unwrap_or_else(|| "-".to_owned())),
        Cell::from(value::moment_text(job.created_at)),
        Cell::from(job.tenant.clone().unwrap_or_else(|| job.tenant_id.to_string())),
    ]);
}
