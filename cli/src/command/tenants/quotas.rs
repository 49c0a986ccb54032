//! `fairclaim tenants quotas`: what may wait, what waits, and what takes no new jobs.

use clap::Args;
use fairclaim::{QuotaRow, Tenant};
use indicatif::HumanCount;
use serde_json::json;

use crate::global::Global;
use crate::output::{Cell, Table};
use crate::{color, connect, output, value};

pub(super) const HELP: &str = "\
Counting stops a little above a quota (shown with a +). A default quota shows how many wait when a
tenant is named.

Examples:
  fairclaim tenants quotas
  fairclaim tenants quotas acme --queue mail
  fairclaim tenants quotas --json";

#[derive(Debug, Args)]
pub(super) struct QuotasArgs {
    /// Only what holds for this tenant: a uuid or a name
    #[arg(value_name = "NAME-OR-UUID", value_parser = value::tenant)]
    tenant: Option<Tenant>,
    /// Only what holds in this queue
    #[arg(long)]
    queue: Option<String>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(global: &Global, args: &QuotasArgs) -> anyhow::Result<()> {
    let client = connect::client(global).await?;
    let quotas = client.quotas(args.tenant.as_ref(), args.queue.as_deref()).await?;
    if args.json {
        return output::json(&json!({ "quotas": quotas }));
    }
    if quotas.is_empty() {
        return output::line("no quotas, and nothing is being drained");
    }
    let mut table = Table::new(["TENANT", "QUEUE", "MAY WAIT", "WAITING", "ABOVE IT"]);
    for quota in &quotas {
        table.row(cells(quota));
    }
    output::line(table.render())
}

fn cells(quota: &QuotaRow) -> [Cell; 5] {
    let number = |count: i32| HumanCount(u64::from(count.unsigned_abs())).to_string();
    let tenant = match (&quota.tenant, quota.tenant_id) {
        (Some(name), _) => name.clone(),
        (None, Some(id)) => id.to_string(),
        (None, None) => "every tenant".to_owned(),
    };
    let waiting = quota.waiting.map_or_else(
        || "-".to_owned(),
        |count| format!("{}{}", number(count), if quota.at_least { "+" } else { "" }),
    );
    let is_above = quota.waiting.zip(quota.max_waiting).is_some_and(|(waits, most)| waits > most);
    let waiting =
        if is_above { Cell::styled(&waiting, color::warning()) } else { Cell::from(waiting) };
    let rest = match quota.drained_at {
        Some(since) => [
            Cell::styled("none", color::warning()),
            waiting,
            Cell::from(format!("drained since {}", value::second_text(since))),
        ],
        None => [
            Cell::from(quota.max_waiting.map_or_else(|| "-".to_owned(), number)),
            waiting,
            Cell::from(if quota.refuses { "refused" } else { "let in" }.to_owned()),
        ],
    };
    let [most, waiting, above] = rest;
    let queue = quota.queue.clone().unwrap_or_else(|| "all".to_owned());
    [Cell::from(tenant), Cell::from(queue), most, waiting, above]
}
