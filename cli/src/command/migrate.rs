//! `fairclaim migrate`: the schema, installed or brought up to date.

use clap::Args;
use fairclaim::{MigrateOptions, MigrateReport};

use crate::global::Global;
use crate::{connect, output};

const EXAMPLES: &str = "\
Examples:
  fairclaim migrate --grant-self
  fairclaim migrate --print > fairclaim.sql";

/// Safe to repeat and to start twice at once. Needs a login with CREATEROLE and CREATE on the
/// database, never a superuser.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct MigrateArgs {
    /// Print one SQL file that does the same, for psql -v ON_ERROR_STOP=1 -f or
    /// supabase/migrations/, and connect nowhere
    #[arg(long, conflicts_with = "json")]
    print: bool,
    /// Also grant this login the roles of a worker, a producer, an operator and an auditor (who
    /// reads payloads and errors): for trying out, and for applications with a single login
    #[arg(long)]
    grant_self: bool,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(global: &Global, args: MigrateArgs) -> anyhow::Result<()> {
    let options = MigrateOptions::default().grant_self(args.grant_self);
    if args.print {
        return output::line(fairclaim::migration_script(&options).trim_end());
    }
    let client = connect::client(global).await?;
    let report = client.migrate(&options).await?;
    if args.json { output::json(&report) } else { output::line(sentence(&report)) }
}

fn sentence(report: &MigrateReport) -> String {
    let mut text = installed(report);
    if !report.granted.is_empty() {
        text.push_str(&format!("; this login now has the roles {}", report.granted.join(", ")));
    }
    text
}

fn installed(report: &MigrateReport) -> String {
    match (report.from, report.to) {
        (0, to) => format!("installed the schema fairclaim, version {to}"),
        (from, to) if from == to => {
            format!("the schema is at version {to} already; its functions were applied again")
        }
        (from, to) => {
            format!("updated the schema from version {from} to {to}: {}", report.applied.join(", "))
        }
    }
}
