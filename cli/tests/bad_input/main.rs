//! Bad input to the built binary, as tables: flags, environment, URLs and files, what the database
//! refuses, and what hostile text does to a terminal. A row says how the program is called, how it
//! exits, what it says and what it hints. Nothing is written, and nothing that is said repeats a
//! payload.

mod configuration;
mod database;
mod flags;
mod marks;
mod terminal;

use std::io::Write;
use std::process::{Command, Output, Stdio};

use test_support::binary as support;

/// Stands in every payload and in every other value that a careless message might quote.
const MARK: &str = "MARKED-7c1f";

/// A call that must fail: its arguments (MARK is the mark), what stderr says, and the hint in it.
type Row = (&'static [&'static str], &'static str, &'static str);

/// Runs a program that must end by itself.
fn output(command: &mut Command, stdin: &str) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // it may exit without reading
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    child.wait_with_output().unwrap()
}

/// Asserts how a call fails. Answers what it said.
#[track_caller]
fn fails(command: &mut Command, stdin: &str, exit: i32, says: &str, hint: &str) -> String {
    let output = output(command, stdin);
    let said = String::from_utf8(output.stderr).expect("UTF-8 on stderr");
    let call = format!("{command:?}").replace(MARK, "MARK");
    assert_eq!(output.status.code(), Some(exit), "{call}: {said}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{call} answers although it failed");
    let lines = |start: &str| -> Vec<&str> {
        said.lines().filter(|line| line.starts_with(start)).collect()
    };
    let (errors, hints) = (lines("error: "), lines("hint: "));
    // a command without its subcommand shows its help
    let told = errors.len() == 1 || errors.is_empty() && said.contains("Usage: ");
    assert!(told && hints.len() == 1, "{call} has not one error and one hint: {said}");
    assert!(said.contains(says), "{call} should say {says:?}: {said}");
    assert!(hints[0].contains(hint), "{call} should hint {hint:?}: {said}");
    assert!(!said.contains("For more information"), "{call} points to its help twice: {said}");
    quotes_nothing(&call, &said);
    said
}

/// Nothing of a payload, a result, an error's text or a password.
#[track_caller]
fn quotes_nothing(what: &str, said: &str) {
    let line = said.lines().find(|line| line.contains(MARK) || line.contains("hunter2"));
    assert_eq!(line, None, "{what} quotes a value");
}

#[test]
#[should_panic(expected = "quotes a value")]
fn a_line_with_the_mark_is_found() {
    quotes_nothing("a log", &format!("one\ntwo {MARK} three\nfour"));
}
