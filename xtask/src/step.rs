//! One step of a run: a command whose output is shown as it comes, timed, and counted when it runs tests.

use std::{
    io::{BufRead, BufReader, IsTerminal, Read, Write},
    process::{Command, Stdio},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;

use crate::tally::{Tally, closing_line};

/// How a step ended.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) verdict: Verdict,
    pub(crate) took: Duration,
    /// Of a step that ran tests.
    pub(crate) tests: Option<Tally>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Passed,
    Failed,
    /// An earlier step has to pass first.
    NotRun,
}

impl Step {
    /// Times something that says whether it went well.
    pub(crate) fn of(name: &'static str, act: impl FnOnce() -> anyhow::Result<bool>) -> Self {
        headline(name);
        let begin = Instant::now();
        let passed = act().unwrap_or_else(|error| {
            eprintln!("error: {error:#}");
            false
        });
        Self { name, verdict: verdict(passed), took: begin.elapsed(), tests: None }
    }

    /// Runs a command that does not test.
    pub(crate) fn command(name: &'static str, command: &mut Command) -> Self {
        Self::of(name, || {
            let status =
                command.status().with_context(|| format!("cannot start {}", program(command)))?;
            Ok(status.success())
        })
    }

    /// Runs a command that tests. One that ran no test has failed: something is wrong with how it was called.
    pub(crate) fn tests(name: &'static str, command: &mut Command) -> Self {
        headline(name);
        let begin = Instant::now();
        let (passed, tests) = run_counted(command).unwrap_or_else(|error| {
            eprintln!("error: {error:#}");
            (false, Tally::default())
        });
        if tests == Tally::default() {
            eprintln!("error: no test has run");
        }
        let passed = passed && tests.failed == 0 && tests.passed > 0;
        Self { name, verdict: verdict(passed), took: begin.elapsed(), tests: Some(tests) }
    }

    /// A step that makes no sense after what has failed.
    pub(crate) fn not_run(name: &'static str) -> Self {
        Self { name, verdict: Verdict::NotRun, took: Duration::ZERO, tests: None }
    }

    pub(crate) fn passed(&self) -> bool {
        self.verdict == Verdict::Passed
    }
}

fn verdict(passed: bool) -> Verdict {
    if passed { Verdict::Passed } else { Verdict::Failed }
}

fn headline(name: &str) {
    println!("\n== {name}");
}

fn program(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

fn run_counted(command: &mut Command) -> anyhow::Result<(bool, Tally)> {
    if std::io::stderr().is_terminal() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", program(command)))?;
    let tally = Mutex::new(Tally::default());
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    thread::scope(|scope| {
        scope.spawn(|| stdout.map(|output| relay(output, std::io::stdout(), &tally)));
        scope.spawn(|| stderr.map(|output| relay(output, std::io::stderr(), &tally)));
    });
    let passed = child.wait().context("cannot wait for the tests")?.success();
    let tally = tally.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    Ok((passed, tally))
}

/// Copies lines as they come, and adds up what closing lines say.
fn relay(from: impl Read, mut to: impl Write, tally: &Mutex<Tally>) {
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        // when no reader of the output is left, the tests are still counted
        let _ = to.write_all(&line).and_then(|()| to.flush());
        if let (Some(found), Ok(mut tally)) =
            (closing_line(&String::from_utf8_lossy(&line)), tally.lock())
        {
            *tally += found;
        }
        line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn closing_lines_are_added_up_and_all_lines_passed_on() {
        let (mut shown, tally) = (Vec::new(), Mutex::new(Tally { passed: 1, failed: 0 }));
        let output = "test a ... ok\ntest result: ok. 2 passed; 1 failed; 0 ignored\nno line break";
        relay(output.as_bytes(), &mut shown, &tally);
        assert_eq!(String::from_utf8_lossy(&shown), output);
        assert_eq!(*tally.lock().unwrap(), Tally { passed: 3, failed: 1 });
    }

    #[test]
    fn a_test_command_that_ran_no_test_has_failed() {
        assert_eq!(Step::tests("x", &mut shell("true")).verdict, Verdict::Failed);
    }

    #[test]
    fn a_command_that_fails_or_is_missing_has_failed() {
        assert!(Step::command("x", &mut shell("true")).passed());
        assert!(!Step::command("x", &mut shell("exit 3")).passed());
        assert!(!Step::command("x", &mut Command::new("no-such-program")).passed());
    }
}
