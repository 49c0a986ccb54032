//! Colours, on a terminal that wants them (NO_COLOR, TERM, CLICOLOR), or as --color says.

use std::io;

use anstream::AutoStream;
use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use fairclaim::{Level, Status};

/// What --color takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Also in a pipe.
    Always,
    /// Nowhere.
    Never,
}

impl When {
    /// Holds for the rest of the process.
    pub(crate) fn hold(self) {
        let choice = match self {
            Self::Auto => anstream::ColorChoice::Auto,
            Self::Always => anstream::ColorChoice::Always,
            Self::Never => anstream::ColorChoice::Never,
        };
        choice.write_global();
    }
}

/// Whether answers are coloured.
pub(crate) fn on_stdout() -> bool {
    AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never
}

/// Whether what is said beside them is coloured.
pub(crate) fn on_stderr() -> bool {
    AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never
}

/// How a status looks.
pub(crate) fn of_status(status: Status) -> Style {
    match status {
        Status::Completed => AnsiColor::Green.on_default(),
        Status::Failed => AnsiColor::Red.on_default().bold(),
        Status::Cancelled => AnsiColor::Magenta.on_default(),
        Status::Processing => AnsiColor::Cyan.on_default(),
        Status::Scheduled => AnsiColor::Blue.on_default(),
        _ => Style::new(),
    }
}

/// How the level of a finding looks.
pub(crate) fn of_level(level: Level) -> Style {
    match level {
        Level::Error => AnsiColor::Red.on_default().bold(),
        Level::Warning => warning(),
        _ => Style::new(),
    }
}

/// What an operator has to see.
pub(crate) fn warning() -> Style {
    AnsiColor::Yellow.on_default().bold()
}
