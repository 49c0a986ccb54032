//! `fairclaim tenants cancel`, `retry` and `move`: all that a filter finds of one tenant, in steps.

use std::time::Duration;

use clap::Args;
use fairclaim::{Client, Count, JobFilter, Status, Tenant, TenantTotals};
use indicatif::{HumanCount, ProgressBar};

use super::ask;
use crate::global::Global;
use crate::words::counted;
use crate::{connect, output, value};

pub(super) const CANCEL_HELP: &str = "\
Pending and delayed jobs end as cancelled; `fairclaim jobs cancel --tenant` asks running ones to stop
as well.

Examples:
  fairclaim tenants cancel acme --queue mail
  fairclaim tenants cancel acme --type report --older-than 1d --yes";

pub(super) const RETRY_HELP: &str = "\
They become due one after the other, so many a second, each with all its attempts. What they are due
at is spread over the time that it takes, so the command itself is done at once.

Examples:
  fairclaim tenants retry acme --per-second 5
  fairclaim tenants retry acme --error timeout --newer-than 1d --per-second 50 --yes";

pub(super) const MOVE_HELP: &str = "\
Ids, attempts and history stay; moved jobs stand behind what the tenant has waiting in the other
queue. Delayed jobs are moved too; what runs is left.

Examples:
  fairclaim tenants move acme --queue mail --to-queue bulk
  fairclaim tenants move acme --queue mail --type newsletter --to-queue bulk --yes";

#[derive(Debug, Args)]
struct Common {
    /// The tenant: a uuid or a name
    #[arg(value_name = "NAME-OR-UUID", value_parser = value::tenant)]
    tenant: Tenant,
    /// Only those of this type
    #[arg(long = "type", value_name = "TYPE")]
    job_type: Option<String>,
    /// Do not ask; needed where there is no terminal to ask on
    #[arg(long, short)]
    yes: bool,
    /// Only count what the filter finds
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Why, for the audit table
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Ages {
    /// Only those in this queue
    #[arg(long)]
    queue: Option<String>,
    /// Only those dispatched longer ago (90s, 2h, 7d)
    #[arg(long, value_name = "AGE", value_parser = value::duration)]
    older_than: Option<Duration>,
    /// Only those dispatched within this time
    #[arg(long, value_name = "AGE", value_parser = value::duration)]
    newer_than: Option<Duration>,
}

#[derive(Debug, Args)]
pub(super) struct CancelArgs {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    ages: Ages,
}

#[derive(Debug, Args)]
pub(super) struct RetryArgs {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    ages: Ages,
    /// Only those whose last error has this in its code, message or trace; needs fairclaim_auditor
    #[arg(long, value_name = "TEXT", value_parser = value::sought)]
    error: Option<String>,
    /// How many become due a second
    #[arg(long, value_name = "JOBS", default_value_t = 10.0)]
    per_second: f64,
}

#[derive(Debug, Args)]
pub(super) struct MoveArgs {
    #[command(flatten)]
    common: Common,
    /// Where they wait
    #[arg(long)]
    queue: String,
    /// Where they are to wait
    #[arg(long)]
    to_queue: String,
}

fn filter(common: &Common, ages: Option<&Ages>) -> JobFilter {
    JobFilter {
        tenant: Some(common.tenant.clone()),
        job_type: common.job_type.clone(),
        queue: ages.and_then(|ages| ages.queue.clone()),
        older_than: ages.and_then(|ages| ages.older_than),
        newer_than: ages.and_then(|ages| ages.newer_than),
        ..JobFilter::default()
    }
}

pub(super) async fn cancel(global: &Global, args: &CancelArgs) -> anyhow::Result<()> {
    let client = connect::client(global).await?;
    let filter = filter(&args.common, Some(&args.ages));
    let Some(bar) = begin(&client, &args.common, &filter, WAITING, "cancel").await? else {
        return Ok(());
    };
    let totals = client.cancel_waiting(&filter, args.common.why.as_deref(), show(&bar)).await;
    end(&args.common, &bar, totals, "cancelled")
}

pub(super) async fn retry(global: &Global, args: &RetryArgs) -> anyhow::Result<()> {
    let client = connect::client(global).await?;
    let filter = JobFilter { error: args.error.clone(), ..filter(&args.common, Some(&args.ages)) };
    let failed = &[Status::Failed];
    let Some(bar) = begin(&client, &args.common, &filter, failed, "retry").await? else {
        return Ok(());
    };
    let why = args.common.why.as_deref();
    let totals = client.retry_failed(&filter, args.per_second, why, show(&bar)).await;
    end(&args.common, &bar, totals, "to run again")
}

pub(super) async fn relocate(global: &Global, args: &MoveArgs) -> anyhow::Result<()> {
    let client = connect::client(global).await?;
    let filter = JobFilter { queue: Some(args.queue.clone()), ..filter(&args.common, None) };
    let Some(bar) = begin(&client, &args.common, &filter, WAITING, "move").await? else {
        return Ok(());
    };
    let why = args.common.why.as_deref();
    let totals = client.move_waiting(&filter, &args.to_queue, why, show(&bar)).await;
    end(&args.common, &bar, totals, "moved")
}

const WAITING: &[Status] = &[Status::Scheduled, Status::Pending];

/// Counts what matches, and asks; answers a bar, unless there is nothing to do.
async fn begin(
    client: &Client,
    common: &Common,
    filter: &JobFilter,
    statuses: &[Status],
    word: &str,
) -> anyhow::Result<Option<ProgressBar>> {
    let mut count = Count::default();
    for status in statuses {
        let some = client.count_jobs(&filter.clone().status(*status)).await?;
        count = Count { jobs: count.jobs + some.jobs, more: count.more || some.more };
    }
    let more = if count.more { "more than " } else { "" };
    let verb = if count.jobs == 1 && !count.more { "matches" } else { "match" };
    let what = format!("{more}{} {verb}", counted(count.jobs, "job"));
    if common.dry_run {
        if common.json {
            let answer = serde_json::json!({
                "matched": count.jobs, "more": count.more, "dry_run": true,
            });
            output::json(&answer)?;
        } else {
            output::line(format!("{what}; nothing was changed"))?;
        }
        return Ok(None);
    }
    if count.jobs > 0 && !common.yes && !ask::for_yes(&what, word)? {
        output::line("nothing was changed")?;
        return Ok(None);
    }
    Ok(Some(ask::bar(u32::try_from(count.jobs).unwrap_or(u32::MAX), count.more)?))
}

fn show(bar: &ProgressBar) -> impl FnMut(&TenantTotals) {
    let bar = bar.clone();
    move |totals| bar.set_position(totals.changed)
}

fn end(
    common: &Common,
    bar: &ProgressBar,
    totals: Result<TenantTotals, fairclaim::Error>,
    done: &str,
) -> anyhow::Result<()> {
    let reached = bar.position();
    bar.finish_and_clear();
    let totals = totals.map_err(|error| match reached {
        0 => anyhow::Error::from(error),
        reached => anyhow::Error::from(error)
            .context(format!("after {}, which stay as they are now", counted(reached, "job"))),
    })?;
    if common.json { output::json(&totals) } else { output::line(sentence(&totals, done)) }
}

fn sentence(totals: &TenantTotals, done: &str) -> String {
    if totals.changed + totals.passed == 0 {
        return "no jobs match".to_owned();
    }
    let mut text = format!("{} {done}", HumanCount(totals.changed));
    if let Some(until) = totals.until {
        text.push_str(&format!(", the last at {}", value::second_text(until)));
    }
    if totals.passed > 0 {
        let held = HumanCount(totals.passed);
        text.push_str(&format!(", {held} held by other transactions: run it again for these"));
    }
    text
}
