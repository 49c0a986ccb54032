//! `fairclaim tenants purge`: everything of one tenant, counted first.

use clap::Args;
use fairclaim::{PurgeTotals, Tenant, TenantCount};
use indicatif::HumanCount;

use super::ask;
use crate::error::Hinted;
use crate::global::Global;
use crate::words::counted;
use crate::{connect, output, value};

pub(super) const HELP: &str = "\
Jobs go with payloads, results, errors and history, and then the tenant's name and settings. Nothing
brings them back: `fairclaim tenants export` first. `fairclaim tenants drain` keeps new jobs out. What
runs stays until it has ended; run it again then. One that was interrupted goes on where it was. The
audit table keeps who did it, when and why.

Examples:
  fairclaim tenants purge acme --dry-run
  fairclaim tenants purge acme --why 'contract ended' --yes";

#[derive(Debug, Args)]
pub(super) struct PurgeArgs {
    /// The tenant: a uuid or a name
    #[arg(value_name = "NAME-OR-UUID", value_parser = value::tenant)]
    tenant: Tenant,
    /// Do not ask for the name; needed where there is no terminal to ask on
    #[arg(long, short)]
    yes: bool,
    /// Only count what there is
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Why, for the audit table
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(global: &Global, args: &PurgeArgs) -> anyhow::Result<()> {
    let client = connect::client(global).await?;
    let name = super::label(&args.tenant);
    let count = client.count_tenant(&args.tenant).await?;
    if args.dry_run {
        let text = format!("{} has {}; nothing was changed", name, told(&count));
        return if args.json {
            output::json(&count)
        } else {
            output::line(output::printable(&text))
        };
    }
    if !args.yes && !ask::for_name(&name, &format!("{name} has {}", told(&count)), "purge")? {
        return output::line("nothing was changed");
    }
    let bar = ask::bar(count.jobs.unsigned_abs(), count.more)?;
    let show = |totals: &PurgeTotals| bar.set_position(totals.jobs);
    let totals = client.purge_tenant(&args.tenant, args.why.as_deref(), show).await;
    bar.finish_and_clear();
    let totals = totals?;
    if args.json {
        output::json(&totals)?;
    } else {
        output::line(output::printable(&sentence(&name, &totals)))?;
    }
    if !totals.more {
        return Ok(());
    }
    Err(Hinted::failed(
        format!(
            "jobs of {name} are left: {} running, {} held by other transactions",
            HumanCount(totals.running),
            HumanCount(totals.passed)
        ),
        format!(
            "run it again when they have ended: `fairclaim jobs cancel --tenant {name}` asks them \
             to stop, `fairclaim tenants drain {name}` keeps new ones out"
        ),
    )
    .into())
}

fn told(count: &TenantCount) -> String {
    let more = if count.more { "more than " } else { "" };
    format!(
        "{more}{} ({} waiting, {} scheduled, {} running, {} ended) and {}",
        counted(u64::from(count.jobs.unsigned_abs()), "job"),
        HumanCount(u64::from(count.waiting.unsigned_abs())),
        HumanCount(u64::from(count.scheduled.unsigned_abs())),
        HumanCount(u64::from(count.running.unsigned_abs())),
        HumanCount(u64::from(count.ended.unsigned_abs())),
        counted(u64::from(count.settings.unsigned_abs()), "setting"),
    )
}

fn sentence(name: &str, totals: &PurgeTotals) -> String {
    format!(
        "{name}: deleted {}, {} and {}",
        counted(totals.jobs, "job"),
        counted(totals.errors, "error"),
        counted(totals.settings, "setting")
    )
}
