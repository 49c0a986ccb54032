//! `fairclaim settings`: what an installation is set to.

use clap::{Args, Subcommand};
use fairclaim::Setting;

use crate::error::Hinted;
use crate::global::Global;
use crate::output::{Cell, Table};
use crate::{connect, output, value};

const EXAMPLES: &str = "\
Examples:
  fairclaim settings list
  fairclaim settings set retention 30d
  fairclaim settings set default_tenant app";

/// They hold for all users of the database, and are in effect at once. Needs the role
/// fairclaim_operator.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SettingsArgs {
    #[command(subcommand)]
    command: SettingsCommand,
}

#[derive(Debug, Subcommand)]
enum SettingsCommand {
    /// List the settings: what each is now, and what it was at first
    #[command(
        after_help = "Examples:\n  fairclaim settings list\n  fairclaim settings list --json"
    )]
    List(ListArgs),
    /// Change a setting, or set it back to its default
    #[command(after_help = SET_HELP)]
    Set(SetArgs),
}

const SET_HELP: &str = "\
Examples:
  fairclaim settings set retention 30d
  fairclaim settings set max_payload '256 KiB'
  fairclaim settings set default_tenant app
  fairclaim settings set retention default";

#[derive(Debug, Args)]
struct ListArgs {
    /// Answer in JSON: seconds and bytes as plain numbers, in texts
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct SetArgs {
    /// Its name, as `fairclaim settings list` shows it
    name: String,
    /// A time (30d, 12h, 500ms), a size (256 KiB, 1 MiB), a number or a name; default (or null)
    /// sets it back
    value: String,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(global: &Global, args: SettingsArgs) -> anyhow::Result<()> {
    let client = connect::client(global).await?;
    let settings = client.settings().await?;
    let args = match args.command {
        SettingsCommand::List(args) => return list(&settings, args.json),
        SettingsCommand::Set(args) => args,
    };
    let Some(known) = settings.iter().find(|setting| setting.name == args.name) else {
        let names: Vec<&str> = settings.iter().map(|setting| setting.name.as_str()).collect();
        return Err(Hinted::usage(
            "there is no setting of that name",
            format!("the names are {}", names.join(", ")),
        )
        .into());
    };
    let value = sent(&known.unit, &args.value).map_err(|rule| {
        Hinted::usage(
            format!("that is no value for {}: {rule}", known.name),
            "`fairclaim settings list` shows the values that there are; `default` sets it back",
        )
    })?;
    let setting = client.set_setting(&known.name, value.as_deref()).await?;
    if args.json {
        return output::json(&setting);
    }
    output::line(format!("{} is {}", setting.name, shown(&setting.unit, setting.value.as_deref())))
}

fn list(settings: &[Setting], json: bool) -> anyhow::Result<()> {
    if json {
        return output::json(&serde_json::json!({ "settings": settings }));
    }
    let mut table = Table::new(["NAME", "VALUE", "DEFAULT"]);
    for setting in settings {
        table.row([
            Cell::from(setting.name.clone()),
            Cell::from(shown(&setting.unit, setting.value.as_deref())),
            Cell::from(shown(&setting.unit, setting.default_value.as_deref())),
        ]);
    }
    let rows = table.render();
    let mut lines = rows.lines();
    let mut text = lines.next().unwrap_or_default().to_owned();
    for (line, setting) in lines.zip(settings) {
        text.push_str(&format!("\n{line}\n  {}", output::printable(&setting.about)));
    }
    output::line(text)
}

/// What was typed as the database takes it; none sets the setting back.
fn sent(unit: &str, text: &str) -> Result<Option<String>, String> {
    let number = |number: &dyn ToString| Ok(Some(number.to_string()));
    match unit {
        _ if text == "default" || text == "null" => Ok(None),
        "seconds" => number(&value::duration(text)?.as_secs_f64()),
        "bytes" => number(&value::size(text)?),
        "number" => {
            number(&text.parse::<u64>().map_err(|_| "it must be a whole number".to_owned())?)
        }
        _ => Ok(Some(text.to_owned())),
    }
}

/// A value as `set` takes it.
fn shown(unit: &str, text: Option<&str>) -> String {
    let Some(text) = text else { return "-".to_owned() };
    let typed = match unit {
        "seconds" => text.parse().ok().map(value::duration_text),
        "bytes" => text.parse().ok().map(value::size_text),
        _ => None,
    };
    typed.unwrap_or_else(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_shown_as_it_may_be_typed() {
        for (unit, plain, typed) in [
            ("seconds", "604800", "7d"),
            ("seconds", "0.5", "500ms"),
            ("seconds", "0", "0s"),
            ("seconds", "5400", "90m"),
            ("seconds", "0.0000125", "0.0000125"),
            ("bytes", "1048576", "1 MiB"),
            ("bytes", "1536", "1536 B"),
            ("number", "1000", "1000"),
            ("name", "acme", "acme"),
        ] {
            assert_eq!(shown(unit, Some(plain)), typed);
            assert_eq!(sent(unit, typed), Ok(Some(plain.to_owned())), "{typed}");
        }
        assert_eq!(shown("name", None), "-");
        assert_eq!((sent("bytes", "default"), sent("name", "null")), (Ok(None), Ok(None)));
        for (unit, bad) in
            [("seconds", "-1"), ("seconds", "1 parsec"), ("bytes", "1 MB"), ("number", "1.5")]
        {
            assert!(sent(unit, bad).is_err(), "{bad}");
        }
    }
}
