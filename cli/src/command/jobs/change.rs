//! `fairclaim jobs cancel`, `retry` and `delete`: by id, or all that a filter finds, counted before
//! anything is changed.

use std::io::{self, IsTerminal, Write as _};

use clap::Args;
use fairclaim::{BulkTotals, Changed, Client, Count, Deleted, JobFilter, Status};
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use serde_json::json;
use uuid::Uuid;

use super::action::{Action, jobs};
use super::filter::FilterArgs;
use super::matches;
use crate::error::Hinted;
use crate::global::Global;
use crate::output::{Cell, Table};
use crate::words::counted;
use crate::{color, connect, output};

pub(super) const CANCEL_HELP: &str = "\
Without a --status a filter is for all that has not ended: scheduled, pending, processing.

Examples:
  fairclaim jobs cancel 01990000-0000-7000-8000-000000000000
  fairclaim jobs cancel --tenant acme --type report --dry-run
  fairclaim jobs cancel --queue default --older-than 7d --yes";

pub(super) const RETRY_HELP: &str = "\
Without a --status a filter is for the failed ones; --status cancelled, completed and scheduled
(due now) are the others that can be.

Examples:
  fairclaim jobs retry 01990000-0000-7000-8000-000000000000
  fairclaim jobs retry --tenant acme --error timeout --newer-than 1d --dry-run
  fairclaim jobs retry --type welcome_mail --yes --json";

pub(super) const DELETE_HELP: &str = "\
Without a --status a filter is for what has ended: completed, failed, cancelled. --status scheduled
or pending deletes what waits. What runs is never deleted: cancel it first. Nothing brings a deleted
job back, and no list shows it; `jobs cancel` keeps a trace of what did not run. It goes in steps of
1,000 jobs and rests between them; workers delete what is past the retention by themselves.

Examples:
  fairclaim jobs delete 01990000-0000-7000-8000-000000000000
  fairclaim jobs delete --tenant acme --status failed --older-than 1d --dry-run
  fairclaim jobs delete --type report --status pending --yes";

/// How many ids go in one call.
pub(super) const BATCH: usize = 1000;

/// By ids, or by a filter: then the jobs are counted first, and a terminal is asked.
#[derive(Debug, Args)]
pub(super) struct ChangeArgs {
    /// The jobs' ids; with --tenant only that tenant's are found
    #[arg(value_name = "ID", value_parser = crate::value::job_id)]
    ids: Vec<Uuid>,
    #[command(flatten)]
    filter: FilterArgs,
    /// Do not ask; needed where there is no terminal to ask on
    #[arg(long, short)]
    yes: bool,
    /// Only count what the filter finds
    #[arg(long, conflicts_with_all = ["yes", "ids"])]
    dry_run: bool,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(global: &Global, action: Action, args: &ChangeArgs) -> anyhow::Result<()> {
    let filter = args.filter.filter();
    match (args.ids.is_empty(), args.filter.is_more_than_a_tenant()) {
        (false, true) => Err(Hinted::usage(
            "ids and a filter are given",
            "pass ids (with --tenant at most), or a filter without ids",
        )
        .into()),
        (false, false) => by_id(&connect::client(global).await?, action, args).await,
        (true, false) if filter.tenant.is_none() => Err(Hinted::usage(
            format!("which jobs to {} is not said", action.word()),
            "pass ids, or a filter such as --tenant, --queue, --type or --status",
        )
        .into()),
        (true, _) => by_filter(&connect::client(global).await?, action, &filter, args).await,
    }
}

async fn by_id(client: &Client, action: Action, args: &ChangeArgs) -> anyhow::Result<()> {
    let (mut changed, mut deleted) = (Vec::new(), Vec::new());
    for ids in args.ids.chunks(BATCH) {
        let tenant = args.filter.tenant.clone();
        match action {
            Action::Cancel => changed.extend(client.cancel(tenant, ids).await?),
            Action::Retry => changed.extend(client.retry(tenant, ids).await?),
            Action::Delete => deleted.extend(client.delete(tenant, ids).await?),
        }
    }
    if action == Action::Delete {
        answer_deleted(&deleted, args.json)
    } else {
        answer(&changed, args.json)
    }
}

/// Says what became of each id; fails when one is still there, or never was.
fn answer_deleted(deleted: &[Deleted], as_json: bool) -> anyhow::Result<()> {
    let missing = deleted.iter().filter(|job| job.status.is_none()).count();
    if as_json {
        output::json(&json!({ "jobs": deleted, "not_found": missing }))?;
    } else {
        let mut table = Table::new(["ID", "STATUS"]);
        for job in deleted {
            let cell = match job.status {
                Some(status) if job.deleted => Cell::from(format!("deleted, was {status}")),
                Some(status) => Cell::styled(&format!("{status}, not deleted"), color::warning()),
                None => Cell::styled("not found", color::warning()),
            };
            table.row([Cell::from(job.id.to_string()), cell]);
        }
        output::line(table.render())?;
    }
    let left: Vec<_> = deleted.iter().filter(|job| job.status.is_some() && !job.deleted).collect();
    if left.is_empty() {
        return found(missing, deleted.len());
    }
    let hint = if left.iter().any(|job| job.status == Some(Status::Processing)) {
        "`fairclaim jobs cancel` asks a running job to stop, `fairclaim jobs release` takes \
         it from a worker that is gone; delete it when it has ended"
    } else {
        "another transaction moves such a job at this moment; run it again"
    };
    let verb = if left.len() == 1 { "was" } else { "were" };
    Err(Hinted::failed(format!("{} {verb} not deleted", counted(left.len() as u64, "job")), hint)
        .into())
}

/// Says what became of each id; fails when one is not there.
pub(super) fn answer(changed: &[Changed], as_json: bool) -> anyhow::Result<()> {
    let missing = changed.iter().filter(|job| job.status.is_none()).count();
    if as_json {
        output::json(&json!({ "jobs": changed, "not_found": missing }))?;
    } else {
        output::line(table(changed).render())?;
    }
    found(missing, changed.len())
}

fn found(missing: usize, all: usize) -> anyhow::Result<()> {
    if missing == 0 {
        return Ok(());
    }
    let verb = if missing == 1 { "was" } else { "were" };
    Err(Hinted::failed(
        format!("{missing} of {} {verb} not found", counted(all as u64, "job")),
        "`fairclaim jobs list` shows which there are; with --tenant only that tenant's are found",
    )
    .into())
}

fn table(changed: &[Changed]) -> Table {
    let mut table = Table::new(["ID", "STATUS"]);
    for job in changed {
        let status = match job.status {
            Some(status) => Cell::styled(status.as_str(), color::of_status(status)),
            None => Cell::styled("not found", color::warning()),
        };
        table.row([Cell::from(job.id.to_string()), status]);
    }
    table
}

async fn by_filter(
    client: &Client,
    action: Action,
    filter: &JobFilter,
    args: &ChangeArgs,
) -> anyhow::Result<()> {
    // what is dispatched while the user thinks about the question is not part of it
    let filter = &client.until_now(filter).await?;
    let count = match action {
        Action::Cancel => client.count_cancellable(filter).await?,
        Action::Retry => client.count_retryable(filter).await?,
        Action::Delete => client.count_deletable(filter).await?,
    };
    if args.dry_run {
        let counted = json!({ "matched": count.jobs, "more": count.more, "dry_run": true });
        let text = format!("{}; nothing was changed", match_in_words(count));
        return if args.json { output::json(&counted) } else { output::line(text) };
    }
    let mut totals = BulkTotals::default();
    if count.jobs > 0 {
        if !args.yes && !is_wanted(client, action, filter, count).await? {
            totals = BulkTotals { matched: count.jobs, unchanged: count.jobs, ..totals };
            let text = "nothing was changed";
            return if args.json { output::json(&totals) } else { output::line(text) };
        }
        totals = change(client, action, filter, count).await?;
    }
    if args.json { output::json(&totals) } else { output::line(sentence(action, totals)) }
}

fn match_in_words(count: Count) -> String {
    let verb = if count.jobs == 1 && !count.more { "matches" } else { "match" };
    format!("{} {verb}", jobs(count))
}

/// Asks on a terminal; elsewhere the answer has to be on the command line.
async fn is_wanted(
    client: &Client,
    action: Action,
    filter: &JobFilter,
    count: Count,
) -> anyhow::Result<bool> {
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return Err(Hinted::usage(
            format!("{} would be changed, and there is no terminal to ask on", jobs(count)),
            format!("pass --yes to {} them, or --dry-run to count only", action.word()),
        )
        .into());
    }
    let question = matches::question(client, action, filter, count).await?;
    eprint!("{} [y/N] ", output::printable(&question));
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// Changes them page by page, with a bar on a terminal.
async fn change(
    client: &Client,
    action: Action,
    filter: &JobFilter,
    count: Count,
) -> anyhow::Result<BulkTotals> {
    let bar = if count.more { ProgressBar::no_length() } else { ProgressBar::new(count.jobs) };
    bar.set_style(ProgressStyle::with_template("{wide_bar} {human_pos}/{human_len} {eta}")?);
    let show = |totals: &BulkTotals| bar.set_position(totals.matched);
    let totals = match action {
        Action::Cancel => client.cancel_where(filter, show).await,
        Action::Retry => client.retry_where(filter, show).await,
        Action::Delete => client.delete_where(filter, show).await,
    };
    let reached = bar.position();
    bar.finish_and_clear();
    totals.map_err(|error| match reached {
        0 => error.into(),
        reached => {
            let so_far = counted(reached, "job");
            anyhow::Error::from(error)
                .context(format!("after {so_far}, which stay as they are now"))
        }
    })
}

fn sentence(action: Action, totals: BulkTotals) -> String {
    if totals.matched == 0 {
        return "no jobs match".to_owned();
    }
    let mut text = format!("{} {}", HumanCount(totals.changed), action.done());
    if totals.asked > 0 {
        text.push_str(&format!(", {} running and asked to stop", HumanCount(totals.asked)));
    }
    if totals.unchanged > 0 {
        text.push_str(&format!(
            ", {} went on before they were reached",
            HumanCount(totals.unchanged)
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_read_as_a_sentence() {
        let totals = BulkTotals { matched: 2600, changed: 2500, asked: 90, unchanged: 10 };
        assert_eq!(
            sentence(Action::Cancel, totals),
            "2,500 cancelled, 90 running and asked to stop, 10 went on before they were reached"
        );
        let none = BulkTotals::default();
        assert_eq!(sentence(Action::Retry, none), "no jobs match");
        let one = BulkTotals { matched: 1, changed: 1, ..none };
        assert_eq!(sentence(Action::Retry, one), "1 waiting again");
    }

    #[test]
    fn a_count_says_when_there_are_more() {
        let words = |jobs, more| match_in_words(Count { jobs, more });
        assert_eq!(words(1, false), "1 job matches");
        assert_eq!(words(12, false), "12 jobs match");
        assert_eq!(words(100_000, true), "more than 100,000 jobs match");
    }
}
