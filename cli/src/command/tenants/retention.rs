//! `fairclaim tenants retention`.

use std::time::Duration;

use clap::Args;
use fairclaim::Tenant;
use serde_json::json;

use crate::global::Global;
use crate::{connect, output, value};

pub(super) const HELP: &str = "\
From 1h up to the retention of the settings, which holds for all others.

Examples:
  fairclaim tenants retention acme 1d
  fairclaim tenants retention acme --default";

#[derive(Debug, Args)]
pub(super) struct RetentionArgs {
    /// The tenant: a uuid or a name
    #[arg(value_name = "NAME-OR-UUID", value_parser = value::tenant)]
    tenant: Tenant,
    /// How long its ended jobs are kept (12h, 2d)
    #[arg(value_name = "AGE", value_parser = value::duration, required_unless_present = "default")]
    seconds: Option<Duration>,
    /// As long as the settings say
    #[arg(long, conflicts_with = "seconds")]
    default: bool,
    /// Why, for the audit table
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(global: &Global, args: &RetentionArgs) -> anyhow::Result<()> {
    let client = connect::client(global).await?;
    client.set_retention(&args.tenant, args.seconds, args.why.as_deref()).await?;
    let seconds = args.seconds.map(|span| span.as_secs_f64());
    if args.json {
        let answer = json!({ "tenant_id": args.tenant.uuid(), "retention_seconds": seconds });
        return output::json(&answer);
    }
    let name = super::label(&args.tenant);
    let text = match seconds {
        Some(seconds) => {
            format!("ended jobs of {name} are kept for {}", value::duration_text(seconds))
        }
        None => format!("ended jobs of {name} are kept as long as the settings say"),
    };
    output::line(output::printable(&text))
}
