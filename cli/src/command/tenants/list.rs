//! `fairclaim tenants list`: a page of tenants with their figures.

use clap::Args;
use fairclaim::{Tenant, TenantStats, TenantStatsFilter};

use crate::global::Global;
use crate::output::{Cell, Table};
use crate::{connect, figure, output, value};

pub(super) const HELP: &str = "\
WAITING and OLDEST are counted now; the rest is what the last refresh noted, at most some seconds
old while there is something to do. DONE, FAILED and SECONDS (of service) are of the last hour, WAIT
and RUN the median and the 99th percentile of the jobs that ended last, right to 5 seconds. SHARE is
its part of the claims of the last minute and, after the slash, of the weights, among the tenants
that had a backlog all the time.

Examples:
  fairclaim tenants list
  fairclaim tenants list --sort waiting --limit 20
  fairclaim tenants list --search acme --queue mail --json";

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Only this tenant: a uuid or a name
    #[arg(long, value_name = "NAME-OR-UUID", value_parser = value::tenant)]
    tenant: Option<Tenant>,
    /// Only in this queue
    #[arg(long)]
    queue: Option<String>,
    /// Only tenants whose name has this text
    #[arg(long, value_name = "TEXT", value_parser = value::sought)]
    search: Option<String>,
    /// By queue and id, or by a figure, the largest first
    #[arg(long, default_value = "tenant", value_parser = [
        "tenant", "waiting", "oldest", "running", "dispatched", "claimed", "finished", "failed",
        "seconds"])]
    sort: String,
    /// How many, up to 1000
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i32).range(1..=1000))]
    limit: i32,
    /// Go on behind a page: what it printed as next
    #[arg(long, value_name = "NEXT")]
    after: Option<String>,
    /// Answer in JSON: {"tenants": […], "next": what to pass to --after, or null}
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(global: &Global, args: &ListArgs) -> anyhow::Result<()> {
    let client = connect::client(global).await?;
    let filter = TenantStatsFilter {
        tenant: args.tenant.clone(),
        queue: args.queue.clone(),
        search: args.search.clone(),
        sort: Some(args.sort.clone()),
        limit: Some(args.limit),
        after: args.after.clone(),
    };
    let page = client.tenant_stats(&filter).await?;
    if args.json {
        return output::json(&page);
    }
    if page.tenants.is_empty() {
        return output::line("no tenants");
    }
    let mut table = Table::new([
        "TENANT", "QUEUE", "WEIGHT", "WAITING", "OLDEST", "RUNNING", "DONE", "FAILED", "SECONDS",
        "WAIT", "RUN", "SHARE",
    ]);
    for tenant in &page.tenants {
        table.row(cells(tenant).map(Cell::from));
    }
    output::line(table.render())?;
    match page.next {
        Some(next) => output::line(format!("more: --sort {} --after '{next}'", args.sort)),
        None => Ok(()),
    }
}

fn cells(row: &TenantStats) -> [String; 12] {
    let share = |part: Option<f64>| part.map_or_else(|| "-".to_owned(), figure::percent);
    [
        row.tenant.clone().unwrap_or_else(|| row.tenant_id.to_string()),
        row.queue.clone(),
        row.weight.to_string(),
        figure::count(row.waiting, row.at_least),
        figure::span(row.oldest_waiting),
        running(row),
        figure::number(row.hour.finished),
        figure::number(row.hour.failed),
        figure::number(row.hour.seconds),
        figure::pair(row.spans.wait_p50, row.spans.wait_p99),
        figure::pair(row.spans.run_p50, row.spans.run_p99),
        format!("{}/{}", share(row.share_1m), share(row.fair_share_1m)),
    ]
}

/// How many run, and of how many that may: the narrowest limit.
fn running(row: &TenantStats) -> String {
    let limits = row.limits.as_array().map(Vec::as_slice).unwrap_or_default();
    let bounds = limits
        .iter()
        .filter(|limit| limit["kind"] != "queue")
        .filter_map(|limit| limit["max_running"].as_i64());
    bounds.min().map_or_else(|| row.running.to_string(), |most| format!("{}/{most}", row.running))
}
