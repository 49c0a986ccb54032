//! The command line: which commands there are, and the flags that all of them share. The flags of
//! one command stand in its own module.

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::command::{bench, dispatch, jobs, migrate, work};
use crate::demo;

/// A multi-tenant background-job queue in your own PostgreSQL.
#[derive(Debug, Parser)]
#[command(name = "fairclaim", version, max_term_width = 100, after_help = AFTER_HELP)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const AFTER_HELP: &str = "\
New here? `fairclaim demo` shows the whole of it and needs nothing but PostgreSQL's programs.

Exit codes: 0 done, 1 failed, 2 wrong usage or wrong configuration (a URL, a file, a setting),
130 interrupted. Errors go to stderr with a `hint:`.";

/// Flags that every command takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct Global {
    /// Where the database is: postgres://user:password@host/database?sslmode=verify-full
    #[arg(long, global = true, value_name = "URL", env = "DATABASE_URL", hide_env_values = true)]
    pub(crate) database_url: Option<String>,
    /// How log lines on stderr look; RUST_LOG says which ones there are
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,
}

/// The shape of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for log collectors.
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Watch it work: 50 tenants, one of them flooding, and a worker that is killed half-way
    Demo(demo::DemoArgs),
    /// Install or update the schema `fairclaim` in a database
    Migrate(migrate::MigrateArgs),
    /// Put one job in
    Dispatch(dispatch::DispatchArgs),
    /// Claim jobs and run a command for each
    Work(work::WorkArgs),
    /// Look at jobs
    Jobs(jobs::JobsArgs),
    /// Measure this build on this machine
    Bench(bench::BenchArgs),
    /// One worker process of the demo; started by `demo`
    #[command(hide = true)]
    DemoWorker(demo::DemoWorkerArgs),
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
