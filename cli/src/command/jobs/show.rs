//! `fairclaim jobs show`: one job.

use std::fmt::Write as _;

use clap::Args;
use fairclaim::JobRow;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::error::Hinted;
use crate::global::Global;
use crate::output::printable;
use crate::{connect, output, value};

const EXAMPLES: &str = "\
Examples:
  fairclaim jobs show 01990000-0000-7000-8000-000000000000
  fairclaim jobs show 01990000-0000-7000-8000-000000000000 --json";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ShowArgs {
    /// The job's id
    #[arg(value_parser = value::job_id)]
    id: Uuid,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(global: &Global, args: &ShowArgs) -> anyhow::Result<()> {
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
        ("called", job.tenant.clone()),
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
