//! `fairclaim bench`: what this build does on this machine.

use clap::Args;

use crate::bench::{self, Common, Scenario};
use crate::global::Global;
use crate::output;

const EXAMPLES: &str = "\
Examples:
  fairclaim bench drain --quick
  fairclaim bench latency --quick --json";

/// Without a database it starts a private PostgreSQL with durable settings, and takes a new database
/// of it for every repetition. With one it works in queues named `bench-…` and leaves their jobs
/// behind: name a database that you can drop. bench/METHOD.md says how to read the figures.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct BenchArgs {
    #[command(subcommand)]
    scenario: Scenario,
    #[command(flatten)]
    common: Common,
}

pub(crate) async fn run(global: &Global, args: BenchArgs) -> anyhow::Result<()> {
    let report = bench::measure(global, &args.common, args.scenario).await?;
    if args.common.json { output::json(&report) } else { output::line(report.render()) }
}
