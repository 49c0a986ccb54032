//! `fairclaim tenants declare`: the base of all settings, from a file.

use std::path::PathBuf;

use clap::Args;
use fairclaim::DeclaredChange;
use serde_json::{Value, json};

use crate::error::Hinted;
use crate::global::Global;
use crate::words::counted;
use crate::{connect, output, value};

pub(super) const HELP: &str = "\
The file is the whole base: what it does not name any more is removed. What was set with the other
commands stays, and goes before it. The same file again changes nothing, so a deployment may
declare it every time.

{
  \"default\": {\"max_running\": 5, \"max_waiting\": 100000},
  \"queues\": {\"mail\": {\"max_running\": 100}},
  \"tenants\": {
    \"acme\": {\"weight\": 3, \"max_running\": 8, \"queues\": {\"mail\": {\"max_running\": 4}}}
  }
}

Examples:
  fairclaim tenants declare --file limits.json --dry-run
  fairclaim tenants declare --file limits.json --why 'build 7'
  fairclaim tenants declare --file - < limits.json";

/// How many changes are told one by one.
const SHOWN: usize = 50;

#[derive(Debug, Args)]
pub(super) struct DeclareArgs {
    /// The file with the document; - is stdin
    #[arg(long, value_name = "PATH")]
    file: PathBuf,
    /// Say what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Why; `fairclaim tenants audit` shows it
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(global: &Global, args: &DeclareArgs) -> anyhow::Result<()> {
    let document = read(&args.file)?;
    let client = connect::client(global).await?;
    let changes = client
        .declare_limits(&document, args.dry_run, args.why.as_deref())
        .await
        .map_err(|error| at_its_place(error, &document))?;
    if args.json {
        return output::json(&json!({ "dry_run": args.dry_run, "changes": changes }));
    }
    if changes.is_empty() {
        return output::line("nothing to change");
    }
    for change in changes.iter().take(SHOWN) {
        output::line(output::printable(&told(change)))?;
    }
    if changes.len() > SHOWN {
        output::line(format!("and {} more", changes.len() - SHOWN))?;
    }
    let count = counted(changes.len() as u64, "setting");
    let done = if args.dry_run { "would change; nothing was changed" } else { "changed" };
    output::line(format!("{count} {done}"))
}

fn read(path: &PathBuf) -> anyhow::Result<Value> {
    let read = if path.as_os_str() == "-" {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(path)
    };
    let text = read.map_err(|error| {
        Hinted::usage(
            format!("cannot read --file {}: {error}", path.display()),
            "pass the path of a file with one JSON object, or - for stdin",
        )
    })?;
    value::strict_json(&text)
        .and_then(|raw| serde_json::from_str(raw.get()).map_err(|error| error.to_string()))
        .map_err(|fault| {
            Hinted::usage(
                format!("--file is not acceptable JSON: {fault}"),
                "`fairclaim tenants declare --help` shows what it looks like",
            )
            .into()
        })
}

/// Names the place of a fault as it stands in the file.
fn at_its_place(error: fairclaim::Error, document: &Value) -> anyhow::Error {
    match error.path_in(document) {
        Some(path) if path.is_empty() => Hinted::usage(
            format!("--file: the document {}", error.message()),
            error.hint().unwrap_or_default(),
        )
        .into(),
        Some(path) => Hinted::usage(
            format!("--file: {path}: {}", error.message()),
            error.hint().unwrap_or_default(),
        )
        .into(),
        None => error.into(),
    }
}

fn told(change: &DeclaredChange) -> String {
    let DeclaredChange { change: how, what, old, new, .. } = change;
    let number = |number: &Option<i32>| number.map_or_else(String::new, |n| n.to_string());
    let accepts = if change.refuses == Some(false) { ", and more is accepted" } else { "" };
    match (old, new) {
        (Some(_), Some(_)) if old == new => format!("{how} {what}: {}{accepts}", number(new)),
        (Some(_), Some(_)) => format!("{how} {what}: {} to {}{accepts}", number(old), number(new)),
        (Some(_), None) => format!("{how} {what}: it was {}", number(old)),
        _ => format!("{how} {what}: {}{accepts}", number(new)),
    }
}
