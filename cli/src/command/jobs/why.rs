//! `fairclaim jobs why`: what keeps a job.

use clap::Args;
use fairclaim::{DefaultTenant, Owner, Tenant};
use uuid::Uuid;

use crate::global::Global;
use crate::output::{Cell, Table};
use crate::{connect, output, value};

pub(super) const HELP: &str = "\
The strongest reason stands first. Without --tenant an operator's call looks for the job among all.

Examples:
  fairclaim jobs why 01990000-0000-7000-8000-000000000000
  fairclaim jobs why 01990000-0000-7000-8000-000000000000 --tenant acme --json";

#[derive(Debug, Args)]
pub(super) struct WhyArgs {
    /// The job's id
    #[arg(value_parser = value::job_id)]
    id: Uuid,
    /// Whose job it is: a uuid or a name
    #[arg(long, value_name = "NAME-OR-UUID", value_parser = value::tenant)]
    tenant: Option<Tenant>,
    /// Answer in JSON: {"reasons": […]}
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(global: &Global, args: &WhyArgs) -> anyhow::Result<()> {
    let client = connect::client(global).await?;
    let owner = args.tenant.clone().map_or_else(|| Owner::from(DefaultTenant), Owner::from);
    let reasons = client.why_waiting(owner, args.id).await?;
    if args.json {
        return output::json(&serde_json::json!({ "reasons": reasons }));
    }
    let mut table = Table::new(["REASON", "DETAIL"]);
    for why in reasons {
        table.row([Cell::from(why.reason), Cell::from(why.detail)]);
    }
    output::line(table.render())
}
