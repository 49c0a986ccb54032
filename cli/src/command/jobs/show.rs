//! `fairclaim jobs show`: one job.

use clap::Args;
use uuid::Uuid;

use super::story;
use crate::error::Hinted;
use crate::global::Global;
use crate::{connect, output, screen, value};

const EXAMPLES: &str = "\
Long texts and documents are cut here; --json has all of them. Payload, result and the texts of
errors are for a login with fairclaim_auditor.

Examples:
  fairclaim jobs show 01990000-0000-7000-8000-000000000000
  fairclaim jobs show 01990000-0000-7000-8000-000000000000 --json";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ShowArgs {
    /// The job's id
    #[arg(value_parser = value::job_id)]
    id: Uuid,
    /// Answer in JSON, with everything
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(global: &Global, args: &ShowArgs) -> anyhow::Result<()> {
    let client = connect::client(global).await?;
    let Some(job) = client.job(args.id).await? else {
        return Err(Hinted::failed(
            format!("there is no job {}", args.id),
            "`fairclaim jobs list` shows which there are; finished ones are kept for the retention",
        )
        .into());
    };
    if args.json { output::json(&job) } else { output::line(story::of(&job, screen::width())) }
}
