//! The built binary where it needs no server: help, the version, the printed migration. What it
//! refuses is in `bad_input`.

#[path = "command_line/config.rs"]
mod config;
#[path = "command_line/pages.rs"]
mod pages;

use std::process::{Command, Output, Stdio};

fn fairclaim(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fairclaim"));
    command.args(args).env_remove("DATABASE_URL").env_remove("RUST_LOG");
    command.stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Asserts how a command fails.
#[track_caller]
fn fails(args: &[&str], code: i32, says: &str) {
    let output = fairclaim(args);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
    assert!(said.contains(says), "{args:?} should say {says:?}:\n{said}");
    assert!(said.lines().any(|line| line.starts_with("hint: ")), "{args:?} gives no hint:\n{said}");
    assert_eq!(text(&output.stdout), "", "{args:?} answered on stdout although it failed");
}

const DISPATCH: [&str; 5] = ["dispatch", "--tenant", "acme", "--type", "mail"];

#[test]
fn help_lists_the_commands_and_the_exit_codes() {
    let output = fairclaim(&["--help"]);
    assert!(output.status.success());
    let help = text(&output.stdout);
    for word in [
        "demo",
        "migrate",
        "dispatch",
        "work",
        "jobs",
        "bench",
        "Exit codes: 0 done, 1 failed, 2 wrong usage or wrong configuration",
    ] {
        assert!(help.contains(word), "{word} is missing:\n{help}");
    }
    assert!(!help.contains("demo-worker"), "an internal command is shown:\n{help}");
}

/// The commands that a help text lists.
fn listed(help: &str) -> Vec<String> {
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let lines = commands.take_while(|line| !line.is_empty());
    // the lines of a description that goes on are indented deeper
    let names = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = names.filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

/// Asks a command and all that it lists for help, and adds their names.
fn ask_for_help(command: &[&str], seen: &mut Vec<String>) {
    let args: Vec<&str> = command.iter().copied().chain(["--help"]).collect();
    let output = fairclaim(&args);
    let help = text(&output.stdout);
    assert!(output.status.success() && output.stderr.is_empty(), "{command:?}");
    let usage = format!("Usage: {}", [&["fairclaim"], command].concat().join(" "));
    assert!(help.contains(&usage), "{command:?}:\n{help}");
    assert!(!help.lines().next().unwrap().is_empty(), "{command:?} does not say what it does");
    seen.push(command.join(" "));
    for name in listed(&help) {
        ask_for_help(&[command, &[name.as_str()]].concat(), seen);
    }
}

#[test]
fn every_command_has_help() {
    let mut seen = Vec::new();
    ask_for_help(&[], &mut seen);
    ask_for_help(&["demo-worker"], &mut seen);
    for command in ["demo", "migrate", "dispatch", "work", "jobs list", "jobs show"] {
        assert!(seen.iter().any(|name| name == command), "{command} is not listed: {seen:?}");
    }
    for scenario in [
        "drain",
        "dispatch",
        "latency",
        "held-snapshot",
        "fairness",
        "everyday",
        "trickle-cost",
        "types",
        "payloads",
        "once-used",
        "slow-transactions",
        "idle",
    ] {
        let command = format!("bench {scenario}");
        assert!(seen.contains(&command), "{command} is not listed: {seen:?}");
    }
}

#[test]
fn help_of_work_explains_what_a_command_answers() {
    let help = text(&fairclaim(&["work", "--help"]).stdout);
    for word in ["FAIRCLAIM_JOB_ID", "EX_DATAERR", "EX_TEMPFAIL", "snooze", "SIGKILL"] {
        assert!(help.contains(word), "{word} is missing:\n{help}");
    }
}

/// The flags of every command stand on one page, and a short page fits a screen.
#[test]
fn a_short_page_fits_a_screen_and_leaves_out_the_flags_of_every_command() {
    let mut seen = Vec::new();
    ask_for_help(&[], &mut seen);
    for command in
        seen.iter().filter(|command| !command.is_empty() && !command.starts_with("bench"))
    {
        let args = |flag| command.split_whitespace().chain([flag]).collect::<Vec<_>>();
        let (short, long) =
            (text(&fairclaim(&args("-h")).stdout), text(&fairclaim(&args("--help")).stdout));
        for page in [&short, &long] {
            assert!(
                !page.contains("--log-format") && !page.contains("--color"),
                "{command}:\n{page}"
            );
            assert!(
                page.contains("`fairclaim --help`"),
                "{command} does not say where they are:\n{page}"
            );
        }
        assert!(long.contains("Examples:") && !short.contains("Examples:"), "{command}");
        assert!(short.lines().count() <= 40, "{command} -h is long:\n{short}");
    }
    assert!(text(&fairclaim(&["jobs", "show", "-h"]).stdout).lines().count() <= 20);
    assert!(text(&fairclaim(&["-h"]).stdout).contains("--log-format"));
}

#[test]
fn a_newcomer_is_told_the_four_lines_that_get_going() {
    let said = text(&fairclaim(&[]).stderr);
    let commands = [
        "migrate --grant-self",
        "dispatch --tenant acme",
        "work --exec greet=cat --drain",
        "jobs list",
    ];
    for command in commands {
        assert!(said.contains(&format!("\n  fairclaim {command}")), "{command}:\n{said}");
    }
}

#[test]
fn help_never_shows_the_database_url_of_the_environment() {
    let output = Command::new(env!("CARGO_BIN_EXE_fairclaim"))
        .args(["work", "--help"])
        .env("DATABASE_URL", "postgres://app:hunter2@db/app")
        .output()
        .unwrap();
    assert!(!text(&output.stdout).contains("hunter2"));
}

#[test]
fn the_version_is_one_line() {
    let output = fairclaim(&["--version"]);
    assert_eq!(text(&output.stdout), format!("fairclaim {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_command_without_a_database_says_how_to_name_one() {
    let jobs = ["jobs", "list"];
    for args in [&DISPATCH[..], &jobs, &["migrate"], &["work", "--exec", "a=b"]] {
        fails(args, 2, "no database is given");
    }
}

#[test]
fn the_printed_migration_is_one_sql_text_without_psql_commands() {
    let output = fairclaim(&["migrate", "--print"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let sql = text(&output.stdout);
    assert!(sql.contains("create or replace function fairclaim.claim_job"));
    assert!(!sql.lines().any(|line| line.starts_with('\\')), "psql commands in the script");
}

#[test]
fn a_reader_that_went_away_is_no_error() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_fairclaim"))
        .args(["migrate", "--print"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "");
}
