//! `fairclaim tenants show`: what is set, by whom, and what is in force.

use clap::Args;
use fairclaim::{Bound, Client, Tenant};

use crate::global::Global;
use crate::output::{Cell, Table};
use crate::value::{second_text, tenant};
use crate::{connect, output};

pub(super) const HELP: &str = "\
Without a tenant it shows the defaults, the limits of queues, and what each tenant has.

Examples:
  fairclaim tenants show
  fairclaim tenants show acme
  fairclaim tenants show acme --queue mail --json";

/// How many tenants are asked for at a time.
const PAGE: i32 = 1000;

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// The tenant: its uuid or name
    #[arg(value_parser = tenant)]
    tenant: Option<Tenant>,
    /// Only what concerns this queue
    #[arg(long, value_name = "NAME")]
    queue: Option<String>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(global: &Global, args: &ShowArgs) -> anyhow::Result<()> {
    let client = connect::client(global).await?;
    let queue = args.queue.as_deref();
    let bounds = match &args.tenant {
        Some(tenant) => client.limits_of(tenant, queue).await?,
        None => all(&client, queue).await?,
    };
    if args.json {
        return output::json(&serde_json::json!({ "limits": bounds }));
    }
    if bounds.is_empty() {
        return output::line("nothing is set: weight 1, no limits, no quotas");
    }
    let mut table =
        Table::new(["OF", "QUEUE", "WHAT", "DECLARED", "SET", "IN FORCE", "UNTIL", "BY", "WHY"]);
    for bound in &bounds {
        table.row(cells(bound));
    }
    output::line(table.render())
}

async fn all(client: &Client, queue: Option<&str>) -> anyhow::Result<Vec<Bound>> {
    let (mut bounds, mut after) = (Vec::new(), None);
    loop {
        let page = client.limits(queue, after, PAGE).await?;
        let last = page.iter().rev().find_map(|bound| bound.tenant_id);
        bounds.extend(page);
        match last {
            Some(tenant) => after = Some(tenant),
            None => return Ok(bounds),
        }
    }
}

fn cells(bound: &Bound) -> [Cell; 9] {
    let text = |text: &Option<String>| Cell::from(text.clone().unwrap_or_else(|| "-".to_owned()));
    let number = |number: Option<i32>| {
        Cell::from(number.map_or_else(|| "-".to_owned(), |number| number.to_string()))
    };
    let id = bound.tenant_id.map(|id| id.to_string());
    let whose = match bound.subject.as_str() {
        "default" => "(default)".to_owned(),
        "queue" => "(queue)".to_owned(),
        _ => bound.tenant.clone().or(id).unwrap_or_default(),
    };
    let what = match (bound.kind.as_str(), bound.refuses) {
        ("running", _) => "limit",
        ("waiting", Some(false)) => "quota, accepts more",
        ("waiting", _) => "quota",
        (kind, _) => kind,
    };
    let in_force = match bound.kind.as_str() {
        "paused" => Cell::from("yes".to_owned()),
        _ => number(bound.in_force),
    };
    [
        Cell::from(whose),
        Cell::from(bound.queue.clone().unwrap_or_else(|| "(all)".to_owned())),
        Cell::from(what.to_owned()),
        number(bound.base),
        number(bound.overridden),
        in_force,
        Cell::from(bound.until.map_or_else(|| "-".to_owned(), second_text)),
        text(&bound.set_by),
        text(&bound.why),
    ]
}
