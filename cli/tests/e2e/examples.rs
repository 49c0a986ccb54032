//! The examples that `--help` ends with: every command has some, and each of them is run as it
//! stands there, by a shell, one after the other on one database.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::support::{TestServer, fairclaim, start, stderr};

/// Who comes first. Commands that are not listed come in between, in the order of `--help`; these
/// last.
const FIRST: [&str; 4] = ["", "migrate", "dispatch", "jobs show"];
const LAST: [&str; 3] = ["work", "prune", "demo"];

/// How the commands begin whose examples are only checked for their flags, and why.
const CHECKED_ONLY: [(&str, &str); 2] = [
    ("bench ", "cli/tests/bench.rs runs every scenario in this form"),
    ("demo", "cli/tests/e2e/demo.rs runs it, with a server of its own"),
];

/// Its examples run without a database, on a server that they start: it refuses one in which others
/// have jobs.
const OWN_SERVER: &str = "bench";

/// What stands for the id of some job.
const SOME_ID: &str = "01990000-0000-7000-8000-000000000000";

/// A command, and the lines of its examples.
struct Page {
    command: String,
    examples: Vec<String>,
}

/// The pages of a command and of all that it lists.
fn collect(command: &str, pages: &mut Vec<Page>) {
    let arguments = command.split_whitespace().chain(["--help"]);
    let output = fairclaim(arguments).output().unwrap();
    assert!(output.status.success(), "{command} --help: {}", stderr(&output));
    let help = String::from_utf8(output.stdout).unwrap();
    let (_, examples) = help.split_once("\nExamples:\n").unwrap_or_default();
    let examples: Vec<String> = examples.lines().map(|line| line.trim().to_owned()).collect();
    assert!(
        !examples.is_empty(),
        "`fairclaim {command} --help` does not end with `Examples:` and lines of a shell"
    );
    for example in &examples {
        let of_it = format!("fairclaim {command}");
        assert!(example.contains(of_it.trim_end()), "of {command}: {example}");
    }
    pages.push(Page { command: command.to_owned(), examples });
    for name in subcommands(&help) {
        collect(format!("{command} {name}").trim(), pages);
    }
}

fn subcommands(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let lines = lines.take_while(|line| !line.is_empty());
    let names = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = names.filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

/// All pages in the order in which their examples are run.
fn pages() -> Vec<Page> {
    let mut pages = Vec::new();
    collect("", &mut pages);
    let place = |names: &[&str], page: &Page| names.iter().position(|name| *name == page.command);
    pages.sort_by_key(|page| match (place(&FIRST, page), place(&LAST, page)) {
        (Some(first), _) => first,
        (None, Some(last)) => 2000 + last,
        (None, None) => 1000,
    });
    pages
}

/// Runs a line of a page in a folder as a user would who has the binary in the path.
fn run(server: &TestServer, folder: &Path, page: &Page, line: &str) {
    let binary = Path::new(env!("CARGO_BIN_EXE_fairclaim")).parent().unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("sh");
    shell.args(["-c", line]).current_dir(folder).env("PATH", path).env("DATABASE_URL", &server.url);
    shell.env_remove("RUST_LOG");
    if page.command == OWN_SERVER {
        shell.env_remove("DATABASE_URL");
    }
    let output = start(&mut shell).end();
    assert!(output.status.success(), "{line}\n{}", stderr(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_of_every_help_page_works() {
    let server = TestServer::bare().await;
    let folder = std::env::temp_dir().join(format!("fairclaim-examples-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let limits = json!({"default": {"max_running": 5}, "tenants": {"acme": {"weight": 2}}});
    fs::write(folder.join("limits.json"), limits.to_string()).unwrap();
    let mut ran = 0;
    for page in pages() {
        for example in &page.examples {
            let mut line = example.clone();
            if CHECKED_ONLY.iter().any(|(start, _)| page.command.starts_with(start)) {
                line.push_str(" --help");
            } else if line.contains(SOME_ID) {
                let id = server.dispatch("welcome_mail", 1).await[0];
                line = line.replace(SOME_ID, &id.to_string());
            }
            run(&server, &folder, &page, &line);
            ran += 1;
        }
    }
    fs::remove_dir_all(&folder).unwrap();
    assert!(ran >= 20, "only {ran} examples were found");
    // the purge of a tenant is among them, so what is left are not the jobs
    let audit = server.fairclaim(["tenants", "audit", "--json"]).output().unwrap();
    let audit = String::from_utf8(audit.stdout).unwrap();
    assert!(audit.contains("purge_tenant"), "the examples were run on another database: {audit}");
}
