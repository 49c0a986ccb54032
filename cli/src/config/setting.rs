//! One value of the file, as the flag that it stands for.

use clap::{Arg, ArgAction, Command};
use toml::{Table, Value};

use super::file::ConfigFile;
use crate::error::Hinted;

/// A flag and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    /// The command that has the flag: empty for those of all commands, `["jobs", "list"]`.
    pub(super) path: Vec<String>,
    /// The flag, as the parser knows it.
    pub(super) id: String,
    name: String,
    /// What would be typed behind it; several of a flag that may be repeated.
    pub(super) values: Vec<String>,
}

impl Setting {
    /// Names it as the file does: `jobs.list.limit`.
    pub(super) fn key(&self) -> String {
        join(&self.path, &self.name)
    }

    /// Finds the command that has the flag.
    pub(super) fn command_in<'a>(&self, command: &'a Command) -> Option<&'a Command> {
        self.path.iter().try_fold(command, |command, name| command.find_subcommand(name))
    }
}

fn join(path: &[String], name: &str) -> String {
    path.iter().map(String::as_str).chain([name]).collect::<Vec<_>>().join(".")
}

/// Reads all that the file sets, also for commands that do not run now.
pub(super) fn of(command: &Command, file: &ConfigFile) -> anyhow::Result<Vec<Setting>> {
    let mut settings = Vec::new();
    read(command, &file.table, &mut Vec::new(), &mut settings).map_err(
        |Wrong { key, rule, hint }| Hinted::usage(format!("{}: {key}: {rule}", file.name()), hint),
    )?;
    Ok(settings)
}

/// Says what is wrong with a key, without its value.
struct Wrong {
    key: String,
    rule: String,
    hint: String,
}

fn read(
    command: &Command,
    table: &Table,
    path: &mut Vec<String>,
    settings: &mut Vec<Setting>,
) -> Result<(), Wrong> {
    for (key, value) in table {
        if let Some((command, table)) = subcommand(command, key).zip(value.as_table()) {
            path.push(command.get_name().to_owned());
            read(command, table, path, settings)?;
            path.pop();
            continue;
        }
        let wrong = |rule: String, hint: String| Wrong { key: join(path, key), rule, hint };
        let flag = flags(command).find(|(name, _)| *name == dashed(key));
        let (name, arg) =
            flag.ok_or_else(|| wrong("there is no such key".to_owned(), known(command)))?;
        let help = format!(
            "`{} --help` says what --{name} takes",
            ["fairclaim"]
                .into_iter()
                .chain(path.iter().map(String::as_str))
                .collect::<Vec<_>>()
                .join(" ")
        );
        let values = texts(arg, value).map_err(|rule| wrong(rule.to_owned(), help.clone()))?;
        for text in &values {
            check(arg, name, text).map_err(|rule| wrong(rule, help.clone()))?;
        }
        if !values.is_empty() {
            let (id, name) = (arg.get_id().to_string(), key.clone());
            settings.push(Setting { path: path.clone(), id, name, values });
        }
    }
    Ok(())
}

fn dashed(key: &str) -> String {
    key.replace('_', "-")
}

fn subcommand<'a>(command: &'a Command, key: &str) -> Option<&'a Command> {
    command.find_subcommand(dashed(key)).filter(|command| !command.is_hide_set())
}

/// Lists the flags of a command that a file may set. Whether many jobs are changed or only counted
/// is said each time.
fn flags(command: &Command) -> impl Iterator<Item = (&str, &Arg)> {
    command
        .get_arguments()
        .filter(|arg| {
            !matches!(arg.get_id().as_str(), "help" | "version" | "config" | "yes" | "dry_run")
        })
        .filter_map(|arg| Some((arg.get_long()?, arg)))
}

/// Says what may stand where something unknown does.
fn known(command: &Command) -> String {
    let mut names: Vec<String> = flags(command).map(|(name, _)| name.replace('-', "_")).collect();
    let tables = command.get_subcommands().filter(|command| !command.is_hide_set());
    names.extend(tables.map(|command| format!("[{}]", command.get_name())));
    if names.is_empty() {
        "nothing can be set here".to_owned()
    } else {
        format!("the keys here are {}", names.join(", "))
    }
}

/// Answers what would be typed for a value.
fn texts(arg: &Arg, value: &Value) -> Result<Vec<String>, &'static str> {
    match (arg.get_action(), value) {
        (ArgAction::SetTrue, Value::Boolean(on)) => {
            Ok(if *on { vec!["true".to_owned()] } else { Vec::new() })
        }
        (ArgAction::SetTrue, _) => Err("must be true or false"),
        (ArgAction::Append, Value::Array(values)) => values
            .iter()
            .map(|value| text(value).ok_or("must be a list of texts or numbers"))
            .collect(),
        (ArgAction::Set | ArgAction::Append, value) => {
            text(value).map(|text| vec![text]).ok_or("must be a text or a number")
        }
        _ => Err("cannot be set in a file"),
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Datetime(at) => Some(at.to_string()),
        Value::Boolean(_) | Value::Array(_) | Value::Table(_) => None,
    }
}

/// Lets the flag's own parser look at a value, on a command line that has nothing else.
fn check(arg: &Arg, name: &str, text: &str) -> Result<(), String> {
    if matches!(arg.get_action(), ArgAction::SetTrue) {
        return Ok(());
    }
    let alone =
        Arg::new("value").long(name.to_owned()).value_parser(arg.get_value_parser().clone());
    let line = ["fairclaim".to_owned(), format!("--{name}={text}")];
    let parsed = Command::new("fairclaim").arg(alone).try_get_matches_from(line);
    parsed.map(drop).map_err(|error| {
        use clap::error::{ContextKind, ContextValue};
        let said = std::error::Error::source(&error).map(ToString::to_string);
        let possible = match error.get(ContextKind::ValidValue) {
            Some(ContextValue::Strings(values)) if !values.is_empty() => {
                Some(format!("must be one of {}", values.join(", ")))
            }
            _ => None,
        };
        said.or(possible).unwrap_or_else(|| "is not a value of this flag".to_owned())
    })
}

/// Makes the values the defaults of their flags; what has a value is not missing.
pub(super) fn apply(command: Command, settings: &[Setting]) -> Command {
    settings.iter().fold(command, |command, setting| at(command, &setting.path, setting))
}

fn at(command: Command, path: &[String], setting: &Setting) -> Command {
    match path {
        [] => command
            .mut_arg(&setting.id, |arg| arg.required(false).default_values(setting.values.clone())),
        [name, rest @ ..] => command.mut_subcommand(name, |command| at(command, rest, setting)),
    }
}
