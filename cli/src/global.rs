//! The flags that every command takes.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use fairclaim::{ConnectOptions, ConnectionMode};

use crate::color;

/// They may stand before or after the command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Global {
    /// Where the database is: postgres://user:password@host/database?sslmode=verify-full; a
    /// password is better in the variable, since every user of the machine can see the arguments of
    /// a process
    #[arg(long, global = true, value_name = "URL", env = "DATABASE_URL", hide_env_values = true)]
    pub(crate) database_url: Option<String>,
    /// Whether a transaction pooler (PgBouncer, Supabase's port 6543) is between here and the
    /// server
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
    /// Find out which of the two it is.
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
    /// Says how to connect, beside the URL.
    pub(crate) fn connect_options(&self) -> ConnectOptions {
        ConnectOptions::default().mode(self.connection.into())
    }
}
