//! What commands write, line by line in the log, where the flags ask for it; and the one thing
//! that is said of a command in any case.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use clap::ValueEnum;
use fairclaim::Attempt;
use uuid::Uuid;

use crate::output;

/// What the log shows of the output of commands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ShowOutput {
    /// Shows the last lines of stderr, in the line of a failed attempt.
    #[default]
    Errors,
    /// Shows that, and every line of stdout and stderr while the command runs.
    All,
    /// Shows nothing.
    None,
}

/// A longer line is told in pieces.
const LINE_BYTES_MAX: usize = 4096;
/// How much of a command's own text is told.
const COMMAND_CHARACTERS_MAX: usize = 100;

/// The attempt whose output it is.
#[derive(Debug, Clone)]
pub(super) struct Source {
    job_type: Arc<str>,
    id: Uuid,
    attempt: i32,
}

impl Source {
    pub(super) fn of(attempt: &Attempt) -> Self {
        Self { job_type: attempt.job_type().into(), id: attempt.id(), attempt: attempt.number() }
    }
}

/// One stream of one command; without a source nothing of it is told.
#[derive(Debug)]
pub(super) struct Lines {
    source: Option<Source>,
    stream: &'static str,
    /// A line that has begun.
    open: Vec<u8>,
}

impl Lines {
    pub(super) fn new(source: Option<Source>, stream: &'static str) -> Self {
        Self { source, stream, open: Vec::new() }
    }

    /// Tells the lines that are complete with this piece.
    pub(super) fn take(&mut self, piece: &[u8]) {
        if self.source.is_none() {
            return;
        }
        for part in piece.split_inclusive(|&byte| byte == b'\n') {
            for part in part.chunks(LINE_BYTES_MAX) {
                self.open.extend_from_slice(part);
                if self.open.ends_with(b"\n") || self.open.len() >= LINE_BYTES_MAX {
                    self.tell();
                }
            }
        }
    }

    /// Tells what is left without the end of a line.
    pub(super) fn end(&mut self) {
        if !self.open.is_empty() {
            self.tell();
        }
    }

    fn tell(&mut self) {
        let open = std::mem::take(&mut self.open);
        let Some(Source { job_type, id, attempt }) = &self.source else { return };
        let text = String::from_utf8_lossy(&open);
        let line = output::printable(text.trim_end_matches(['\n', '\r']));
        let (stream, attempt) = (self.stream, *attempt);
        tracing::info!(target: "fairclaim::exec", %id, attempt, stream, "{job_type}: {line}");
    }
}

/// Types whose commands cannot be run, as a shell's exit codes say. It is said loudly, since such
/// jobs are tried again for hours; and once, until the command can be run.
#[derive(Debug, Clone, Default)]
pub(super) struct Unrunnable(Arc<Mutex<HashSet<String>>>);

impl Unrunnable {
    pub(super) fn look(&self, job_type: &str, command: &str, code: Option<i32>) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let why = match code {
            Some(126) => "may not be executed",
            Some(127) => "was not found",
            _ => {
                told.remove(job_type);
                return;
            }
        };
        if told.insert(job_type.to_owned()) {
            let code = code.unwrap_or_default();
            let mut command: String = output::printable(command);
            if let Some((at, _)) = command.char_indices().nth(COMMAND_CHARACTERS_MAX) {
                command.truncate(at);
                command.push('…');
            }
            // it is about all jobs of the type, so the span of this attempt is not its place
            tracing::error!(
                target: "fairclaim::exec",
                parent: None,
                r#type = job_type,
                exit_code = code,
                hint = "look at --exec: is the program installed, executable and in PATH, and the path right from this folder?",
                "a program {why} that the command of type {job_type} calls: {command}"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_told_when_it_is_complete_and_a_long_one_in_pieces() {
        let source = Source { job_type: "greet".into(), id: Uuid::nil(), attempt: 1 };
        let mut lines = Lines::new(Some(source), "stdout");
        lines.take(b"half");
        assert_eq!(lines.open, b"half");
        lines.take(b" a line\nand");
        assert_eq!(lines.open, b"and");
        lines.take(&vec![b'x'; 10 * LINE_BYTES_MAX]);
        assert!(lines.open.len() < LINE_BYTES_MAX, "{}", lines.open.len());
        lines.end();
        assert!(lines.open.is_empty());
    }

    #[test]
    fn what_is_not_asked_for_is_not_even_kept() {
        let mut lines = Lines::new(None, "stdout");
        lines.take(b"half");
        assert!(lines.open.is_empty());
    }

    #[test]
    fn a_command_that_cannot_be_run_is_told_once_until_it_can() {
        let unrunnable = Unrunnable::default();
        let told = || unrunnable.0.lock().unwrap().len();
        unrunnable.look("greet", "/no/such", Some(127));
        unrunnable.look("greet", "/no/such", Some(127));
        assert_eq!(told(), 1);
        unrunnable.look("greet", "/no/such", Some(0));
        assert_eq!(told(), 0);
    }
}
