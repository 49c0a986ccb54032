//! What the user is told when something fails: one `error:` line, one `hint:` line, one exit code.

use std::fmt;
use std::process::ExitCode;

use crate::output::printable_lines;

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
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    let (hint, exit) = advice(error);
    eprintln!("error: {}", printable_lines(&sentence(error)));
    eprintln!("hint: {}", printable_lines(&hint));
    exit.code()
}

/// Prints what clap found wrong, with a hint; help and version texts go to stdout and succeed.
pub(crate) fn report_usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        // A closed pipe is the only way this fails, and there is nobody left to tell.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    // it quotes the arguments, which a script may have from anybody
    let (plain, shown) = (error.render().to_string(), printable_lines(&error.render().to_string()));
    if plain == shown {
        let _ = error.print();
    } else {
        eprint!("{shown}");
    }
    eprintln!(
        "hint: `fairclaim help` lists the commands, `fairclaim <command> --help` its flags and the variables that set them"
    );
    Exit::Usage.code()
}

/// The chain of causes in one line, without saying the same thing twice: library errors tend to
/// repeat their source in their own text.
fn sentence(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

fn advice(error: &anyhow::Error) -> (String, Exit) {
    if let Some(hinted) = error.chain().find_map(|cause| cause.downcast_ref::<Hinted>()) {
        return (hinted.hint.clone(), hinted.exit);
    }
    if let Some(known) = error.chain().find_map(|cause| cause.downcast_ref::<fairclaim::Error>()) {
        return (library_hint(known).to_owned(), library_exit(known));
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

const VALUE_HINT: &str =
    "change that value; `fairclaim <command> --help` says what each flag takes";

fn library_hint(error: &fairclaim::Error) -> &str {
    match error {
        fairclaim::Error::BadArgument { .. } => error.hint().unwrap_or(VALUE_HINT),
        _ => error.hint().unwrap_or(GENERAL_HINT),
    }
}

/// What the user gave is wrong when it was refused before anything was sent. What the database refuses is a failure; it has
/// a hint of its own.
fn library_exit(error: &fairclaim::Error) -> Exit {
    match error {
        fairclaim::Error::Config { .. } | fairclaim::Error::BadArgument { hint: None, .. } => {
            Exit::Usage
        }
        _ => Exit::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn a_hint_is_found_below_any_context() {
        let error =
            Err::<(), _>(Hinted::usage("bad flag", "use a good one")).context("while parsing");
        let error = error.unwrap_err();
        assert_eq!(advice(&error), ("use a good one".to_owned(), Exit::Usage));
        assert_eq!(sentence(&error), "while parsing: bad flag");
    }

    #[test]
    fn a_value_that_was_refused_is_no_reason_to_look_for_the_database() {
        use fairclaim::Error;
        let advice = |error| advice(&anyhow::Error::from(error));
        let message = || "it is wrong".to_owned();
        let unsent = advice(Error::BadArgument { message: message(), hint: None });
        assert_eq!(unsent, (VALUE_HINT.to_owned(), Exit::Usage));
        let hint = Some("change p_queue".to_owned());
        let refused = advice(Error::BadArgument { message: message(), hint });
        assert_eq!(refused, ("change p_queue".to_owned(), Exit::Failed));
        let hint = Some("set lease to 1 s to 24 h".to_owned());
        let config = advice(Error::Config { message: message(), hint });
        assert_eq!(config, ("set lease to 1 s to 24 h".to_owned(), Exit::Usage));
        let database = Error::Database { sqlstate: "XX000".to_owned(), message: message() };
        assert_eq!(advice(database), (GENERAL_HINT.to_owned(), Exit::Failed));
        let away = advice(Error::Unavailable { message: message() });
        assert_eq!(away, (DATABASE_HINT.to_owned(), Exit::Failed));
    }

    #[test]
    fn every_error_has_a_hint() {
        let (hint, exit) = advice(&anyhow::anyhow!("something odd"));
        assert!(!hint.is_empty());
        assert_eq!(exit, Exit::Failed);
    }

    #[test]
    fn a_cause_that_is_already_in_the_text_is_not_repeated() {
        let error = anyhow::anyhow!("refused").context("connection refused");
        assert_eq!(sentence(&error), "connection refused");
    }
}
