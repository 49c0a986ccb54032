//! `fairclaim tenants export`: everything of one tenant, one JSON object a line.

use clap::Args;
use fairclaim::Tenant;
use indicatif::ProgressBar;

use super::ask;
use crate::global::Global;
use crate::{connect, output, value};

pub(super) const HELP: &str = "\
Each line is {\"kind\": ..., \"document\": {...}}: first the tenant, its settings and what operators did
to it, then its jobs, oldest first. Payloads, results and error texts need fairclaim_auditor.

Examples:
  fairclaim tenants export acme > acme.jsonl
  fairclaim tenants export acme --no-payloads | gzip > acme.jsonl.gz";

/// How many jobs are read at once.
const PAGE: i32 = 200;

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// The tenant: a uuid or a name
    #[arg(value_name = "NAME-OR-UUID", value_parser = value::tenant)]
    tenant: Tenant,
    /// Leave out payloads, results, metadata and error texts
    #[arg(long)]
    no_payloads: bool,
}

pub(super) async fn run(global: &Global, args: &ExportArgs) -> anyhow::Result<()> {
    let client = connect::client(global).await?;
    let bar = bar(&client, args).await?;
    let mut after = None;
    loop {
        let page = client.export_tenant(&args.tenant, after, PAGE, !args.no_payloads).await?;
        for item in &page.items {
            output::line(output::compact(item)?)?;
            bar.inc(u64::from(item.kind == "job"));
        }
        after = page.next;
        if after.is_none() || output::is_closed() {
            bar.finish_and_clear();
            return Ok(());
        }
    }
}

/// A bar where stdout goes elsewhere than to the terminal; what is written there would tear it.
async fn bar(client: &fairclaim::Client, args: &ExportArgs) -> anyhow::Result<ProgressBar> {
    use std::io::IsTerminal;
    if std::io::stdout().is_terminal() {
        return Ok(ProgressBar::hidden());
    }
    let count = client.count_tenant(&args.tenant).await?;
    ask::bar(count.jobs.unsigned_abs(), count.more)
}
