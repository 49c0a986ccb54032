//! `fairclaim tenants`: what is done to everything that one tenant has.

mod ask;
mod bulk;
pub(crate) mod drain;
mod export;
mod purge;
mod quotas;
mod retention;

use clap::{Args, Subcommand};
use fairclaim::Tenant;

use crate::global::Global;

const EXAMPLES: &str = "\
Examples:
  fairclaim tenants quotas acme
  fairclaim tenants drain acme --why 'it leaves on Friday'
  fairclaim tenants export acme > acme.jsonl
  fairclaim tenants purge acme";

/// A tenant is named by its uuid or by the name that the application dispatches for. Needs the role
/// fairclaim_operator; an export with payloads also needs fairclaim_auditor.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct TenantsArgs {
    #[command(subcommand)]
    command: TenantsCommand,
}

#[derive(Debug, Subcommand)]
enum TenantsCommand {
    /// List quotas on waiting jobs and what is being drained
    #[command(after_help = quotas::HELP)]
    Quotas(quotas::QuotasArgs),
    /// Take no new jobs of a tenant; what waits or runs is finished
    #[command(after_help = drain::HELP)]
    Drain(drain::DrainArgs),
    /// Take jobs of a drained tenant again
    #[command(after_help = "Examples:\n  fairclaim tenants undrain acme")]
    Undrain(drain::DrainArgs),
    /// Cancel what waits of a tenant; what runs goes on
    #[command(after_help = bulk::CANCEL_HELP)]
    Cancel(bulk::CancelArgs),
    /// Run a tenant's failed jobs again, so many a second
    #[command(after_help = bulk::RETRY_HELP)]
    Retry(bulk::RetryArgs),
    /// Move what waits of a tenant to another queue
    #[command(after_help = bulk::MOVE_HELP)]
    Move(bulk::MoveArgs),
    /// Write everything of a tenant as JSON Lines
    #[command(after_help = export::HELP)]
    Export(export::ExportArgs),
    /// Delete everything of a tenant
    #[command(after_help = purge::HELP)]
    Purge(purge::PurgeArgs),
    /// Keep a tenant's ended jobs for less time than the settings say
    #[command(after_help = retention::HELP)]
    Retention(retention::RetentionArgs),
}

pub(crate) async fn run(global: &Global, args: TenantsArgs) -> anyhow::Result<()> {
    match args.command {
        TenantsCommand::Quotas(args) => quotas::run(global, &args).await,
        TenantsCommand::Drain(args) => drain::run(global, &args, true).await,
        TenantsCommand::Undrain(args) => drain::run(global, &args, false).await,
        TenantsCommand::Cancel(args) => bulk::cancel(global, &args).await,
        TenantsCommand::Retry(args) => bulk::retry(global, &args).await,
        TenantsCommand::Move(args) => bulk::relocate(global, &args).await,
        TenantsCommand::Export(args) => export::run(global, &args).await,
        TenantsCommand::Purge(args) => purge::run(global, &args).await,
        TenantsCommand::Retention(args) => retention::run(global, &args).await,
    }
}

/// Names a tenant as it was named on the command line.
fn label(tenant: &Tenant) -> String {
    tenant.name().map_or_else(|| tenant.uuid().to_string(), str::to_owned)
}
