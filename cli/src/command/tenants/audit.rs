//! `fairclaim tenants audit`: what was changed, by whom, and why.

use clap::Args;
use fairclaim::AuditEntry;

use crate::global::Global;
use crate::output::{Cell, Table};
use crate::value::second_text;
use crate::{connect, output};

pub(super) const HELP: &str = "\
Newest first. A change that ended by itself is told as end_override, by tick.

Examples:
  fairclaim tenants audit
  fairclaim tenants audit --limit 1000 --json";

#[derive(Debug, Args)]
pub(super) struct AuditArgs {
    /// How many changes at most
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(i32).range(1..=10_000))]
    limit: i32,
    /// Only changes before the one with this number, which is what --json answers
    #[arg(long, value_name = "NUMBER")]
    before: Option<i64>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(global: &Global, args: &AuditArgs) -> anyhow::Result<()> {
    let client = connect::client(global).await?;
    let entries = client.audit(args.limit, args.before).await?;
    if args.json {
        return output::json(&serde_json::json!({ "changes": entries }));
    }
    if entries.is_empty() {
        return output::line("nothing was changed yet");
    }
    let mut table = Table::new(["AT", "BY", "WHAT", "OF", "QUEUE", "FROM", "TO", "UNTIL", "WHY"]);
    for entry in &entries {
        table.row(cells(entry));
    }
    output::line(table.render())
}

fn cells(entry: &AuditEntry) -> [Cell; 9] {
    let text = |text: &Option<String>| Cell::from(text.clone().unwrap_or_else(|| "-".to_owned()));
    let id = entry.tenant_id.map(|id| id.to_string());
    let whose = match entry.subject.as_str() {
        "tenant" => entry.tenant.clone().or(id).unwrap_or_default(),
        "all" => format!("({} settings)", entry.many),
        subject => format!("({subject})"),
    };
    [
        Cell::from(second_text(entry.at)),
        Cell::from(entry.who.clone()),
        Cell::from(entry.what.clone()),
        Cell::from(whose),
        text(&entry.queue),
        text(&entry.old_value),
        text(&entry.new_value),
        Cell::from(entry.until.map_or_else(|| "-".to_owned(), second_text)),
        text(&entry.why),
    ]
}
