//! What the user is told when something fails: one `error:` line, one `hint:` line, one exit code.

use std::fmt;
use std::process::ExitCode;

use fairclaim::ErrorKind;

use crate::{flags::Flags, output::printable_lines};

/// How the program ends when it does not succeed. `--help` documents these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// The command was understood and failed.
    Failed,
    /// The command line, the environment, or a file or URL that they name, makes no sense.
    Usage,
    /// Ended by Ctrl-C or SIGTERM before it was done.
    Interrupted,
}

impl Exit {
    pub(crate) fn code(self) -> ExitCode {
        ExitCode::from(match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Interrupted => 130,
        })
    }
}

/// An error that knows what to do about it.
#[derive(Debug)]
pub(crate) struct Hinted {
    message: String,
    hint: String,
    exit: Exit,
}

impl Hinted {
    /// Something failed; `hint` says what to do next.
    pub(crate) fn failed(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into(), exit: Exit::Failed }
    }

    /// The user asked for something that cannot be asked for.
    pub(crate) fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into(), exit: Exit::Usage }
    }

    /// The user stopped it.
    pub(crate) fn interrupted(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into(), exit: Exit::Interrupted }
    }
}

impl Hinted {
    pub(crate) fn is_interruption(&self) -> bool {
        self.exit == Exit::Interrupted
    }
}

impl fmt::Display for Hinted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Hinted {}

/// Prints `error` with its hint to stderr and says how to exit.
pub(crate) fn report(error: &anyhow::Error, flags: &Flags) -> ExitCode {
    let (hint, exit) = advice(error, flags);
    eprintln!("error: {}", printable_lines(&sentence(error, flags)));
    eprintln!("hint: {}", printable_lines(&hint));
    exit.code()
}

/// Prints what clap found wrong, with a hint; help and version texts go to stdout and succeed.
pub(crate) fn report_usage(error: &clap::Error, flags: &Flags) -> ExitCode {
    if !error.use_stderr() {
        // a closed pipe is the only way in which this fails, and then nothing reads an error either
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    // it quotes the arguments, which a script may have from anywhere
    let (plain, shown) = (error.render().to_string(), printable_lines(&error.render().to_string()));
    if plain == shown {
        anstream::eprint!("{}", without_pointer(&error.render().ansi().to_string()));
    } else {
        eprint!("{}", without_pointer(&shown));
    }
    eprintln!("hint: {} says what may stand there, with examples", flags.help());
    Exit::Usage.code()
}

/// Drops clap's own last line, `For more information, try '--help'`: the hint says it better.
fn without_pointer(said: &str) -> String {
    let lines = said.trim_end().lines().filter(|line| !line.starts_with("For more information"));
    let kept: Vec<&str> = lines.collect();
    format!("{}\n", kept.join("\n").trim_end())
}

/// Tells the chain of causes in one line, without saying the same thing twice: library errors tend
/// to repeat their source in their own text.
fn sentence(error: &anyhow::Error, flags: &Flags) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = match cause.downcast_ref::<fairclaim::Error>() {
            Some(known) => library_message(known, flags),
            None => cause.to_string(),
        };
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

/// Tells what the library says, with flags for the names of SQL and Rust.
fn library_message(error: &fairclaim::Error, flags: &Flags) -> String {
    match flag_of(error, flags) {
        Some(flag) => format!("{}: {flag}: {}", error.kind(), error.message()),
        None if error.kind() == ErrorKind::Configuration => flags.told(&error.to_string()),
        None => error.to_string(),
    }
}

/// Finds the flag that a library error is about, if it is about one. A tenant that the session
/// lacks is no argument.
fn flag_of<'a>(error: &fairclaim::Error, flags: &'a Flags) -> Option<&'a str> {
    if error.kind() == ErrorKind::TenantMissing && error.argument().is_none() {
        return None;
    }
    flags.name(error.field()?)
}

fn advice(error: &anyhow::Error, flags: &Flags) -> (String, Exit) {
    if let Some(hinted) = error.chain().find_map(|cause| cause.downcast_ref::<Hinted>()) {
        return (hinted.hint.clone(), hinted.exit);
    }
    if let Some(known) = error.chain().find_map(|cause| cause.downcast_ref::<fairclaim::Error>()) {
        return (library_hint(known, flags), library_exit(known, flags));
    }
    if let Some(launcher) =
        error.chain().find_map(|cause| cause.downcast_ref::<private_postgres::Error>())
    {
        return (launcher.hint().unwrap_or(GENERAL_HINT).to_owned(), Exit::Failed);
    }
    let driver = error.chain().find_map(|cause| cause.downcast_ref::<tokio_postgres::Error>());
    if driver.is_some_and(|error| error.as_db_error().is_none()) {
        return (DATABASE_HINT.to_owned(), Exit::Failed);
    }
    (GENERAL_HINT.to_owned(), Exit::Failed)
}

/// The library says the same of a server that it cannot reach.
const DATABASE_HINT: &str =
    "check that PostgreSQL answers at the connection URL (--database-url, DATABASE_URL)";
const GENERAL_HINT: &str = "run it again with RUST_LOG=debug to see more";

fn library_hint(error: &fairclaim::Error, flags: &Flags) -> String {
    let hint = flags.told(error.hint().unwrap_or(GENERAL_HINT));
    match error.kind() {
        ErrorKind::InvalidArgument if flag_of(error, flags).is_some() => {
            format!("{hint}; {} says more", flags.help())
        }
        _ => hint,
    }
}

/// A value that this command line gives or lacks is wrong, whether the program or the database
/// finds it; so is a configuration. All else is a failure.
fn library_exit(error: &fairclaim::Error, flags: &Flags) -> Exit {
    match error.kind() {
        ErrorKind::Configuration => Exit::Usage,
        // the type of a value has refused it
        ErrorKind::Database if error.sqlstate().is_some_and(|code| code.starts_with("22")) => {
            Exit::Usage
        }
        ErrorKind::InvalidArgument if !error.was_sent() => Exit::Usage,
        ErrorKind::InvalidArgument | ErrorKind::TenantMissing
            if flag_of(error, flags).is_some() =>
        {
            Exit::Usage
        }
        _ => Exit::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;
    use clap::CommandFactory;

    use crate::args::Cli;

    #[test]
    fn a_hint_is_found_below_any_context() {
        let error =
            Err::<(), _>(Hinted::usage("bad flag", "use a good one")).context("while parsing");
        let error = error.unwrap_err();
        assert_eq!(advice(&error, &Flags::default()), ("use a good one".to_owned(), Exit::Usage));
        assert_eq!(sentence(&error, &Flags::default()), "while parsing: bad flag");
    }

    #[test]
    fn a_value_that_is_refused_is_told_by_its_flag() {
        let args = ["fairclaim", "dispatch"].map(std::ffi::OsString::from);
        let flags = Flags::of(&Cli::command(), &args);
        let job = fairclaim::Dispatch::raw(uuid::Uuid::nil(), "a b", 7).unwrap();
        let refused =
            anyhow::Error::from(job.verify(std::time::SystemTime::UNIX_EPOCH).unwrap_err());
        let said = sentence(&refused, &flags);
        assert!(said.starts_with("bad argument: --type: must match "), "{said}");
        let hint = "change --type as the message says; nothing was sent; `fairclaim dispatch --help` says more";
        assert_eq!(advice(&refused, &flags), (hint.to_owned(), Exit::Usage));
        let elsewhere = Flags::default();
        assert!(sentence(&refused, &elsewhere).starts_with("bad argument: type: must match "));
        assert_eq!(advice(&refused, &elsewhere).1, Exit::Usage, "nothing was sent");
    }

    #[test]
    fn every_error_has_a_hint() {
        let (hint, exit) = advice(&anyhow::anyhow!("something odd"), &Flags::default());
        assert!(!hint.is_empty());
        assert_eq!(exit, Exit::Failed);
    }

    #[test]
    fn a_usage_error_leaves_the_pointing_to_the_hint() {
        let wrong = Cli::command().try_get_matches_from(["fairclaim", "--nothing"]).unwrap_err();
        let said = without_pointer(&wrong.render().to_string());
        assert!(said.starts_with("error: unexpected argument '--nothing'"), "{said}");
        assert!(said.contains("\nUsage: ") && !said.contains("try '--help'"), "{said}");
        assert!(said.ends_with('\n') && !said.ends_with("\n\n"), "{said:?}");
    }

    #[test]
    fn a_cause_that_is_already_in_the_text_is_not_repeated() {
        let error = anyhow::anyhow!("refused").context("connection refused");
        assert_eq!(sentence(&error, &Flags::default()), "connection refused");
    }
}
