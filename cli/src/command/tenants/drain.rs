//! `fairclaim tenants drain` and `undrain`, and what `fairclaim queues` shares with them.

use clap::Args;
use fairclaim::{DrainChange, Tenant};
use serde_json::json;

use crate::global::Global;
use crate::{connect, output, value};

pub(super) const HELP: &str = "\
Dispatches for the tenant are refused (JQ003) until `fairclaim tenants undrain`. Retries and delayed
jobs that it has already still run.

Examples:
  fairclaim tenants drain acme --why 'it leaves on Friday'";

#[derive(Debug, Args)]
pub(super) struct DrainArgs {
    /// The tenant: a uuid or a name
    #[arg(value_name = "NAME-OR-UUID", value_parser = value::tenant)]
    tenant: Tenant,
    /// Why, for the audit table
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(global: &Global, args: &DrainArgs, drains: bool) -> anyhow::Result<()> {
    let client = connect::client(global).await?;
    let why = args.why.as_deref();
    let change = if drains {
        client.drain_tenant(&args.tenant, why).await?
    } else {
        client.undrain_tenant(&args.tenant, why).await?
    };
    if args.json {
        return output::json(&json!({
            "tenant_id": args.tenant.uuid(), "drained_at": change.drained_at.map(value::moment_text),
            "was_drained": change.was_drained,
        }));
    }
    let name = super::label(&args.tenant);
    let end = format!("fairclaim tenants undrain {name}");
    output::line(output::printable(&sentence(&name, &change, drains, &end)))
}

/// Says what became of a drain, of a tenant or a queue.
pub(crate) fn sentence(name: &str, change: &DrainChange, drains: bool, end: &str) -> String {
    let since = change.drained_at.map_or_else(|| "?".to_owned(), value::moment_text);
    match (drains, change.was_drained) {
        (true, false) => format!("{name} takes no new jobs; `{end}` ends it"),
        (true, true) => format!("{name} takes no new jobs already, since {since}"),
        (false, true) => format!("{name} takes jobs again"),
        (false, false) => format!("{name} was not being drained"),
    }
}
