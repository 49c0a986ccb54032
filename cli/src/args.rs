//! The command line: which commands there are, and the flags that all of them share. The flags of
//! one command stand in its own module.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use fairclaim::{ConnectOptions, ConnectionMode};

use crate::color;
use crate::command::{
    bench, completions, dispatch, doctor, jobs, man, migrate, prune, queues, work,
};
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
130 interrupted. Errors go to stderr with a `hint:`.

Examples:
  fairclaim --version";

/// Flags that every command takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct Global {
    /// Where the database is: postgres://user:password@host/database?sslmode=verify-full
    #[arg(long, global = true, value_name = "URL", env = "DATABASE_URL", hide_env_values = true)]
    pub(crate) database_url: Option<String>,
    /// Whether a transaction pooler (PgBouncer, Supabase's port 6543) is between here and the server
    #[arg(
        long,
        global = true,
        value_name = "MODE",
        env = "FAIRCLAIM_CONNECTION",
        default_value = "auto"
    )]
    pub(crate) connection: Connection,
    /// How log lines on stderr look; RUST_LOG says which ones there are
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,
    /// Where answers are coloured: auto is on a terminal, unless NO_COLOR is set
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: color::When,
    /// A file with values for flags; else fairclaim.toml here, else the user's own
    #[arg(long, global = true, value_name = "FILE", env = "FAIRCLAIM_CONFIG")]
    pub(crate) config: Option<PathBuf>,
}

/// What a connection may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Connection {
    /// Find out.
    Auto,
    /// No: statements are prepared once, and workers listen for new jobs.
    Direct,
    /// Yes: every statement travels whole, and workers poll.
    Pooled,
}

impl From<Connection> for ConnectionMode {
    fn from(connection: Connection) -> Self {
        match connection {
            Connection::Auto => Self::Auto,
            Connection::Direct => Self::Direct,
            Connection::Pooled => Self::Pooled,
        }
    }
}

/// The shape of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for log collectors.
    Json,
}

impl Global {
    /// How to connect, beside the URL.
    pub(crate) fn connect_options(&self) -> ConnectOptions {
        ConnectOptions::default().mode(self.connection.into())
    }
}

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
    /// Look at jobs, cancel them, run them again
    Jobs(jobs::JobsArgs),
    /// Look at queues, stop them, let them go on
    Queues(queues::QueuesArgs),
    /// Delete what ended longer ago than the retention
    Prune(prune::PruneArgs),
    /// Examine the database: what is wrong, who is in the way, what to do
    Doctor(doctor::DoctorArgs),
    /// Print a script that makes a shell complete this command line
    Completions(completions::CompletionsArgs),
    /// Print or write the manual pages
    Man(man::ManArgs),
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
