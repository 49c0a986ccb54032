//! `fairclaim jobs`: what is there, and what became of it.

use std::fmt::Write as _;

use clap::{Args, Subcommand};
use fairclaim::{JobFilter, JobRow, Status, Tenant};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::args::Global;
use crate::error::Hinted;
use crate::output::{Table, printable};
use crate::{connect, output, value};

/// Needs the role fairclaim_operator; payloads, results and errors also need fairclaim_auditor.
#[derive(Debug, Args)]
pub(crate) struct JobsArgs {
    #[command(subcommand)]
    command: JobsCommand,
}

#[derive(Debug, Subcommand)]
enum JobsCommand {
    /// List jobs, newest first
    List(ListArgs),
    /// Show one job with everything that this login may see of it
    Show(ShowArgs),
}

#[derive(Debug, Args)]
struct ListArgs {
    /// Only this tenant's: a uuid or a name
    #[arg(long, value_name = "NAME-OR-UUID", value_parser = super::tenant)]
    tenant: Option<Tenant>,
    /// Only those in this queue
    #[arg(long)]
    queue: Option<String>,
    /// Only those of this type
    #[arg(long = "type", value_name = "TYPE")]
    job_type: Option<String>,
    /// scheduled, pending, processing, completed, failed or cancelled
    #[arg(long, value_parser = status)]
    status: Option<Status>,
    /// How many, up to 1000
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i32).range(1..=1000))]
    limit: i32,
    /// Only jobs dispatched before this one: the last id of the page before
    #[arg(long, value_name = "ID")]
    before: Option<Uuid>,
    /// Answer in JSON: {"jobs": […], "next": id to pass to --before, or null}
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct ShowArgs {
    /// The job's id
    id: Uuid,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(global: &Global, args: JobsArgs) -> anyhow::Result<()> {
    match args.command {
        JobsCommand::List(args) => list(global, args).await,
        JobsCommand::Show(args) => show(global, &args).await,
    }
}

async fn list(global: &Global, args: ListArgs) -> anyhow::Result<()> {
    let client = connect::client(global).await?;
    let page = client.jobs(&filter(&args)).await?;
    if args.json {
        return output::json(&page);
    }
    if page.jobs.is_empty() {
        return output::line("no jobs");
    }
    output::line(table(&page.jobs).render())?;
    match page.next {
        Some(next) => output::line(format!("more: --before {next}")),
        None => Ok(()),
    }
}

fn filter(args: &ListArgs) -> JobFilter {
    JobFilter {
        tenant: args.tenant,
        queue: args.queue.clone(),
        job_type: args.job_type.clone(),
        status: args.status,
        before: args.before,
        limit: Some(args.limit),
    }
}

fn table(jobs: &[JobRow]) -> Table {
    let mut table =
        Table::new(["ID", "STATUS", "QUEUE", "TYPE", "ATTEMPTS", "WORKER", "CREATED", "TENANT"]);
    for job in jobs {
        table.row([
            job.id.to_string(),
            job.status.to_string(),
            job.queue.clone(),
            job.job_type.clone(),
            format!("{}/{}", job.attempts, job.max_attempts),
            job.worker_id.clone().unwrap_or_else(|| "-".to_owned()),
            value::moment_text(job.created_at),
            job.tenant_id.to_string(),
        ]);
    }
    table
}

async fn show(global: &Global, args: &ShowArgs) -> anyhow::Result<()> {
    let client = connect::client(global).await?;
    let Some(job) = client.job(args.id).await? else {
        return Err(Hinted::failed(
            format!("there is no job {}", args.id),
            "`fairclaim jobs list` shows which there are; finished ones are kept for the retention time",
        )
        .into());
    };
    if args.json { output::json(&job) } else { output::line(details(&job)) }
}

fn details(job: &JobRow) -> String {
    let at = |moment: Option<std::time::SystemTime>| moment.map(value::moment_text);
    let json = |text: &Option<Box<RawValue>>| text.as_ref().map(|text| text.get().to_owned());
    let facts = [
        ("id", Some(job.id.to_string())),
        ("tenant", Some(job.tenant_id.to_string())),
        ("queue", Some(job.queue.clone())),
        ("type", Some(job.job_type.clone())),
        ("status", Some(job.status.to_string())),
        ("priority", Some(job.priority.to_string())),
        ("attempts", Some(format!("{} (of {} that may fail)", job.attempts, job.max_attempts))),
        ("time-out", job.timeout.map(|timeout| format!("{timeout:?}"))),
        ("worker", job.worker_id.clone()),
        ("created", at(Some(job.created_at))),
        ("due", at(job.next_retry_at)),
        ("finished", at(job.completed_at)),
        ("tags", (!job.tags.is_empty()).then(|| job.tags.join(" "))),
        ("metadata", json(&job.exact.metadata)),
        ("payload", json(&job.exact.payload)),
        ("result", json(&job.exact.result)),
        ("error", json(&job.exact.error)),
        ("errors", json(&job.exact.errors)),
    ];
    let mut text = String::new();
    for (name, fact) in facts {
        if let Some(fact) = fact {
            let _ = writeln!(text, "{name:10} {}", printable(&fact));
        }
    }
    text.pop();
    text
}

fn status(text: &str) -> Result<Status, String> {
    text.parse().map_err(|_| {
        "it is one of scheduled, pending, processing, completed, failed, cancelled".to_owned()
    })
}
