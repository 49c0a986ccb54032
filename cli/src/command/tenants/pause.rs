//! `fairclaim tenants pause` and `resume`.

use clap::Args;
use fairclaim::{Tenant, TenantChange};

use crate::global::Global;
use crate::reason::ReasonArgs;
use crate::value::{second_text, tenant};
use crate::{connect, output};

pub(super) const PAUSE_HELP: &str = "\
Examples:
  fairclaim tenants pause acme --why 'their import is broken'
  fairclaim tenants pause acme --for 2h";

pub(super) const RESUME_HELP: &str = "Examples:\n  fairclaim tenants resume acme";

#[derive(Debug, Args)]
pub(super) struct PauseArgs {
    /// The tenant: its uuid or name
    #[arg(value_parser = tenant)]
    tenant: Tenant,
    #[command(flatten)]
    reason: ReasonArgs,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ResumeArgs {
    /// The tenant: its uuid or name
    #[arg(value_parser = tenant)]
    tenant: Tenant,
    /// Why; `fairclaim tenants audit` shows it
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn pause(global: &Global, args: &PauseArgs) -> anyhow::Result<()> {
    let client = connect::client(global).await?;
    let because = args.reason.because(&client).await?;
    let change = client.pause_tenant(&args.tenant, &because).await?;
    let name = name(&args.tenant);
    let since = change.paused_at.map(second_text).unwrap_or_default();
    let end = match change.until {
        Some(until) => format!("it ends at {}", second_text(until)),
        None => format!("`fairclaim tenants resume {name}` ends it"),
    };
    let told = if change.was_paused {
        format!("{name} was paused already, since {since}; {end}")
    } else {
        format!("paused {name}; running jobs go on, {end}")
    };
    answer(&change, &told, args.json)
}

pub(super) async fn resume(global: &Global, args: &ResumeArgs) -> anyhow::Result<()> {
    let client = connect::client(global).await?;
    let change = client.resume_tenant(&args.tenant, args.why.as_deref()).await?;
    let name = name(&args.tenant);
    let told = if change.was_paused {
        format!("resumed {name}")
    } else {
        format!("{name} was not paused")
    };
    answer(&change, &told, args.json)
}

fn name(tenant: &Tenant) -> String {
    tenant.name().map_or_else(|| tenant.to_string(), str::to_owned)
}

fn answer(change: &TenantChange, told: &str, json: bool) -> anyhow::Result<()> {
    if json {
        return output::json(change);
    }
    output::line(output::printable(told))?;
    if change.known {
        return Ok(());
    }
    output::line(
        "note: no job was dispatched for this tenant by name, and none of its jobs is there",
    )
}
