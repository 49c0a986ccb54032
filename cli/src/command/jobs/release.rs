//! `fairclaim jobs release`: takes jobs back from workers that are gone.

use clap::Args;
use fairclaim::{Changed, Client, Status, Tenant};
use indicatif::HumanCount;
use serde_json::json;
use uuid::Uuid;

use super::change::{self, BATCH};
use crate::error::Hinted;
use crate::global::Global;
use crate::value::{sought, tenant};
use crate::words::counted;
use crate::{connect, output};

pub(super) const HELP: &str = "\
What runs waits again, or ends as cancelled if that was asked for. No attempt is used.
Stop the worker first: one that lives may run such a job beside the next worker for a
while, and what it answers is refused.

Examples:
  fairclaim jobs release 01990000-0000-7000-8000-000000000000
  fairclaim jobs release --worker worker-1";

/// How many jobs of a worker are taken back in one call, and in how many calls at most: one that
/// lives claims on.
const LIMIT: i32 = 1000;
const CALLS_MAX: u32 = 100;

#[derive(Debug, Args)]
pub(super) struct ReleaseArgs {
    /// The jobs' ids; with --tenant only that tenant's are found
    #[arg(value_name = "ID", value_parser = crate::value::job_id, required_unless_present = "worker")]
    ids: Vec<Uuid>,
    /// All that this worker holds; `jobs list` shows the workers
    #[arg(long, value_name = "WORKER-ID", value_parser = sought, conflicts_with_all = ["ids", "tenant"])]
    worker: Option<String>,
    /// Only this tenant's: a uuid or a name
    #[arg(long, value_name = "NAME-OR-UUID", value_parser = tenant)]
    tenant: Option<Tenant>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(global: &Global, args: &ReleaseArgs) -> anyhow::Result<()> {
    let client = connect::client(global).await?;
    if let Some(worker) = &args.worker {
        return of_worker(&client, worker, args.json).await;
    }
    let mut changed = Vec::new();
    for ids in args.ids.chunks(BATCH) {
        changed.extend(client.release(args.tenant.clone(), ids).await?);
    }
    let held = changed.iter().filter(|job| job.status == Some(Status::Processing)).count();
    change::answer(&changed, args.json)?;
    if held == 0 {
        return Ok(());
    }
    Err(Hinted::failed(
        format!(
            "{held} of {} {} being settled or extended at this moment",
            counted(changed.len() as u64, "job"),
            if held == 1 { "is" } else { "are" }
        ),
        "their worker seems to live; run it again for those that still run then",
    )
    .into())
}

async fn of_worker(client: &Client, worker: &str, json: bool) -> anyhow::Result<()> {
    let mut changed = Vec::new();
    for _ in 0..CALLS_MAX {
        let some = client.release_worker(worker, LIMIT).await?;
        let last = some.len() < LIMIT.unsigned_abs() as usize;
        changed.extend(some);
        if last {
            break;
        }
    }
    if json { output::json(&json!({ "jobs": changed })) } else { output::line(sentence(&changed)) }
}

fn sentence(changed: &[Changed]) -> String {
    let count = |status| changed.iter().filter(|job| job.status == Some(status)).count() as u64;
    let (waiting, cancelled) = (count(Status::Pending), count(Status::Cancelled));
    match (waiting, cancelled) {
        (0, 0) => "this worker holds no job".to_owned(),
        (_, 0) => format!("{} waiting again", HumanCount(waiting)),
        _ => {
            format!(
                "{} waiting again, {} cancelled as was asked for",
                HumanCount(waiting),
                HumanCount(cancelled)
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_released_reads_as_a_sentence() {
        let jobs = |status, count| vec![Changed { id: Uuid::nil(), status: Some(status) }; count];
        assert_eq!(sentence(&[]), "this worker holds no job");
        let waiting = jobs(Status::Pending, 1200);
        assert_eq!(sentence(&waiting), "1,200 waiting again");
        let both = [waiting, jobs(Status::Cancelled, 2)].concat();
        assert_eq!(sentence(&both), "1,200 waiting again, 2 cancelled as was asked for");
    }
}
