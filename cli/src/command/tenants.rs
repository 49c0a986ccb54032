//! `fairclaim tenants`: what each tenant gets, and what is done to everything that one has.

mod ask;
mod audit;
mod bulk;
mod declare;
pub(crate) mod drain;
mod export;
mod list;
mod pause;
mod purge;
mod quotas;
mod retention;
mod set;
mod show;

pub(super) use set::{Amount, amount, answer};

use clap::{Args, Subcommand};
use fairclaim::Tenant;

use crate::global::Global;

const EXAMPLES: &str = "\
Examples:
  fairclaim tenants list --sort waiting
  fairclaim tenants limit --default 5
  fairclaim tenants weight acme 3 --why 'pays for more'
  fairclaim tenants show acme
  fairclaim tenants quotas acme
  fairclaim tenants drain acme --why 'it leaves on Friday'
  fairclaim tenants export acme > acme.jsonl
  fairclaim tenants purge acme --yes";

/// What a deployment declares is the base. What is set here is an override: it goes before the
/// base, survives deployments, and is taken back with the word `base`.
///
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
    /// List tenants: what each has waiting, running and done, queue by queue
    #[command(after_help = list::HELP)]
    List(list::ListArgs),
    /// Show weights, limits, quotas and pauses: declared, set here, and in force
    #[command(after_help = show::HELP)]
    Show(show::ShowArgs),
    /// Set a tenant's share of the turns, from 1 to 100
    #[command(after_help = set::WEIGHT_HELP)]
    Weight(set::WeightArgs),
    /// Limit how many jobs of a tenant run at the same time
    #[command(after_help = set::LIMIT_HELP, allow_missing_positional = true)]
    Limit(set::LimitArgs),
    /// Limit how many jobs of a tenant wait
    #[command(after_help = set::QUOTA_HELP, allow_missing_positional = true)]
    Quota(set::QuotaArgs),
    /// Stop a tenant: workers get no more of its jobs; dispatch and running jobs go on
    #[command(after_help = pause::PAUSE_HELP)]
    Pause(pause::PauseArgs),
    /// Let a paused tenant go on
    #[command(after_help = pause::RESUME_HELP)]
    Resume(pause::ResumeArgs),
    /// Declare the base of all weights, limits and quotas from a file
    #[command(after_help = declare::HELP)]
    Declare(declare::DeclareArgs),
    /// List what was changed: when, by whom, why
    #[command(after_help = audit::HELP)]
    Audit(audit::AuditArgs),
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
        TenantsCommand::List(args) => list::run(global, &args).await,
        TenantsCommand::Show(args) => show::run(global, &args).await,
        TenantsCommand::Weight(args) => set::weight(global, &args).await,
        TenantsCommand::Limit(args) => set::limit(global, &args).await,
        TenantsCommand::Quota(args) => set::quota(global, &args).await,
        TenantsCommand::Pause(args) => pause::pause(global, &args).await,
        TenantsCommand::Resume(args) => pause::resume(global, &args).await,
        TenantsCommand::Declare(args) => declare::run(global, &args).await,
        TenantsCommand::Audit(args) => audit::run(global, &args).await,
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
