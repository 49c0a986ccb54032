//! The command line: which commands there are. The flags that all of them share stand in `global`,
//! those of one command in its own module.

use clap::{Parser, Subcommand};

use crate::command::{
    completions, dispatch, doctor, jobs, man, migrate, prune, queues, settings, tenants, work,
    workers,
};
use crate::demo;
use crate::global::Global;

/// A multi-tenant background-job queue in your own PostgreSQL.
#[derive(Debug, Parser)]
#[command(name = "fairclaim", version, max_term_width = 100)]
#[command(after_help = GET_GOING, after_long_help = AFTER_HELP)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const GET_GOING: &str = "\
New here? `fairclaim demo` shows it without a database. On one of yours, with a login that has
CREATEROLE and CREATE on it (export DATABASE_URL=postgres://user@host/database):
  fairclaim migrate --grant-self
  fairclaim dispatch --tenant acme --type greet --payload '{\"name\": \"Ada\"}'
  fairclaim work --exec greet=cat --drain
  fairclaim jobs list";

const AFTER_HELP: &str = "\
New here? `fairclaim demo` shows the whole of it and needs nothing but PostgreSQL's programs. On a
database of yours, DATABASE_URL names it, with a login that has CREATEROLE and CREATE on it.

Exit codes: 0 done, 1 failed, 2 wrong usage or wrong configuration (a URL, a file, a setting),
130 interrupted. Errors go to stderr with a `hint:`.

Examples:
  fairclaim migrate --grant-self
  fairclaim dispatch --tenant acme --type greet --payload '{\"name\": \"Ada\"}'
  fairclaim work --exec greet=cat --drain
  fairclaim jobs list";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Watch it work: 50 tenants, one of them flooding, and a worker that is killed half-way
    Demo(demo::DemoArgs),
    /// Install or update the schema `fairclaim` in a database
    Migrate(migrate::MigrateArgs),
    /// Put jobs in: one by flags, or many from a file of JSON Lines
    Dispatch(dispatch::DispatchArgs),
    /// Claim jobs and run a command for each
    Work(work::WorkArgs),
    /// Look at jobs, cancel them, run them again, delete them
    Jobs(jobs::JobsArgs),
    /// Look at queues, stop them, let them go on
    Queues(queues::QueuesArgs),
    /// Give tenants weights and limits, pause and drain them, export and purge what they have
    Tenants(tenants::TenantsArgs),
    /// Look at the workers: which live, and what they serve
    Workers(workers::WorkersArgs),
    /// Look at what this installation is set to, and change it
    Settings(settings::SettingsArgs),
    /// Delete what ended longer ago than the retention
    Prune(prune::PruneArgs),
    /// Examine the database: what is wrong, who is in the way, what to do
    Doctor(doctor::DoctorArgs),
    /// Print a script that makes a shell complete this command line
    Completions(completions::CompletionsArgs),
    /// Print or write the manual pages
    Man(man::ManArgs),
    /// Measure this build on this machine
    #[cfg(feature = "bench")]
    Bench(fairclaim_bench::Bench),
    /// One worker process of the demo; started by `demo`
    #[command(hide = true)]
    DemoWorker(demo::DemoWorkerArgs),
}

impl Command {
    /// Which log lines it writes: long-running commands say what they do, the others speak up only
    /// when something is wrong.
    pub(crate) fn log_level(&self) -> &'static str {
        match self {
            Self::Work(_) => "warn,fairclaim=info",
            Self::DemoWorker(_) | Self::Demo(_) => "error",
            _ => "warn",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
