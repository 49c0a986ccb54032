//! `fairclaim tenants weight`, `limit` and `quota`.

use clap::Args;
use fairclaim::{Bound, BoundChange, Tenant};

use crate::error::Hinted;
use crate::global::Global;
use crate::reason::ReasonArgs;
use crate::value::{second_text, tenant};
use crate::{connect, output};

pub(super) const WEIGHT_HELP: &str = "\
It holds for what waits already, and counts among the tenants that have a backlog: one with
weight 3 gets three turns where one with weight 1 gets one. Without a weight it is 1.

Examples:
  fairclaim tenants weight acme 3
  fairclaim tenants weight acme 5 --queue mail --for 2h --why 'catches up'
  fairclaim tenants weight acme base";

pub(super) const LIMIT_HELP: &str = "\
It is exact, however many workers there are. With --default it is the limit of every tenant that
has none of its own there. What runs already goes on.

Examples:
  fairclaim tenants limit --default 5
  fairclaim tenants limit acme 20
  fairclaim tenants limit acme 2 --queue mail --why 'their server is slow'
  fairclaim tenants limit acme base";

pub(super) const QUOTA_HELP: &str = "\
A dispatch beyond it is refused; with --accept it is accepted and counted. With --default it is
the quota of every tenant that has none of its own there.

Examples:
  fairclaim tenants quota --default 100000
  fairclaim tenants quota acme 1000000 --accept
  fairclaim tenants quota acme base";

/// A number that is set; none takes it away, and what was declared is in force again.
#[derive(Debug, Clone, Copy)]
pub(in crate::command) struct Amount(pub(in crate::command) Option<i32>);

/// Reads a number, or `base`.
pub(in crate::command) fn amount(text: &str) -> Result<Amount, String> {
    match text {
        "base" => Ok(Amount(None)),
        _ => text.parse().map(|number| Amount(Some(number))).map_err(|_| {
            "it must be a whole number, or base, which takes the setting back to what was declared"
                .to_owned()
        }),
    }
}

#[derive(Debug, Args)]
pub(super) struct WeightArgs {
    /// The tenant: its uuid or name
    #[arg(value_parser = tenant)]
    tenant: Tenant,
    /// Its share of the turns, from 1 to 100; base takes it back to what was declared
    #[arg(value_name = "WEIGHT", value_parser = amount)]
    weight: Amount,
    /// Only in this queue
    #[arg(long, value_name = "NAME")]
    queue: Option<String>,
    #[command(flatten)]
    reason: ReasonArgs,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct LimitArgs {
    /// The tenant: its uuid or name
    #[arg(value_parser = tenant, required_unless_present = "default", conflicts_with = "default")]
    tenant: Option<Tenant>,
    /// How many of its jobs may run at the same time; base takes it back to what was declared
    #[arg(value_name = "MAX", value_parser = amount)]
    max_running: Amount,
    /// For every tenant that has no limit of its own
    #[arg(long)]
    default: bool,
    /// Only in this queue
    #[arg(long, value_name = "NAME")]
    queue: Option<String>,
    #[command(flatten)]
    reason: ReasonArgs,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct QuotaArgs {
    /// The tenant: its uuid or name
    #[arg(value_parser = tenant, required_unless_present = "default", conflicts_with = "default")]
    tenant: Option<Tenant>,
    /// How many of its jobs may wait; base takes it back to what was declared
    #[arg(value_name = "MAX", value_parser = amount)]
    max_waiting: Amount,
    /// For every tenant that has no quota of its own
    #[arg(long)]
    default: bool,
    /// Accept and count what is above it
    #[arg(long)]
    accept: bool,
    /// Only in this queue
    #[arg(long, value_name = "NAME")]
    queue: Option<String>,
    #[command(flatten)]
    reason: ReasonArgs,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn weight(global: &Global, args: &WeightArgs) -> anyhow::Result<()> {
    let client = connect::client(global).await?;
    let queue = args.queue.as_deref();
    let because = args.reason.because(&client).await?;
    let change = client.set_weight(&args.tenant, args.weight.0, queue, &because).await?;
    answer(&change, Some(&args.tenant), args.json)
}

pub(super) async fn limit(global: &Global, args: &LimitArgs) -> anyhow::Result<()> {
    let client = connect::client(global).await?;
    let (queue, because) = (args.queue.as_deref(), args.reason.because(&client).await?);
    let change = match &args.tenant {
        Some(tenant) => client.set_limit(tenant, args.max_running.0, queue, &because).await?,
        None => client.set_default_limit(args.max_running.0, queue, &because).await?,
    };
    answer(&change, args.tenant.as_ref(), args.json)
}

pub(super) async fn quota(global: &Global, args: &QuotaArgs) -> anyhow::Result<()> {
    if args.accept && args.max_waiting.0.is_none() {
        return Err(Hinted::usage(
            "--accept says what becomes of jobs above a quota, and none is set",
            "leave --accept out where the value is base",
        )
        .into());
    }
    let client = connect::client(global).await?;
    let (queue, because) = (args.queue.as_deref(), args.reason.because(&client).await?);
    let (max, refuses) = (args.max_waiting.0, !args.accept);
    let change = match &args.tenant {
        Some(tenant) => client.set_quota(tenant, max, queue, refuses, &because).await?,
        None => client.set_default_quota(max, queue, refuses, &because).await?,
    };
    answer(&change, args.tenant.as_ref(), args.json)
}

/// Tells what is in force now, and warns of a name that nothing is known of.
pub(in crate::command) fn answer(
    change: &BoundChange,
    tenant: Option<&Tenant>,
    json: bool,
) -> anyhow::Result<()> {
    if json {
        return output::json(change);
    }
    let bound = &change.bound;
    let named = |tenant: &Tenant| tenant.name().map_or_else(|| tenant.to_string(), str::to_owned);
    let whose = match tenant {
        Some(tenant) => named(tenant),
        None if bound.subject == "queue" => "all tenants together".to_owned(),
        None => "every tenant without one of its own".to_owned(),
    };
    output::line(output::printable(&sentence(bound, &whose)))?;
    if change.known == Some(false) {
        output::line(output::printable(&format!(
            "note: no job was dispatched for {whose} by name, and none of its jobs is there"
        )))?;
    }
    if let (Some(false), Some(queue)) = (change.in_use, &bound.queue) {
        output::line(format!(
            "note: no job waits in {queue}, or has within the last hour; `fairclaim queues list` shows the names"
        ))?;
    }
    Ok(())
}

/// `the limit of acme in mail is 8 (declared: 5), until 2027-01-31 09:00:00Z`.
fn sentence(bound: &Bound, whose: &str) -> String {
    let what = match bound.kind.as_str() {
        "running" => "limit",
        "waiting" => "quota",
        kind => kind,
    };
    let place = bound.queue.as_ref().map(|queue| format!(" in {queue}")).unwrap_or_default();
    let Some(in_force) = bound.in_force else {
        return format!("{whose}: no {what}{place} is set any more");
    };
    let accepts = if bound.refuses == Some(false) { ", and more is accepted" } else { "" };
    let declared = match (bound.base, bound.overridden) {
        (Some(base), Some(_)) => format!(" (declared: {base})"),
        (Some(_), None) => ", as declared".to_owned(),
        _ => String::new(),
    };
    let until = bound.until.map(|until| format!(", until {}", second_text(until)));
    format!(
        "the {what} of {whose}{place} is {in_force}{accepts}{declared}{}",
        until.unwrap_or_default()
    )
}
