//! The command line, with a configuration file behind it: a flag that neither the command line nor
//! the environment gives has the value of the file. The file has the flags' names, in a table for
//! each command, and its values become the defaults of those flags before anything is parsed; so
//! each flag of each command can stand in it, and is checked as if it were typed.

mod file;
mod setting;

use std::{collections::BTreeSet, ffi::OsString};

use clap::{
    ArgMatches, Command, CommandFactory, FromArgMatches,
    builder::{OsStr, Resettable},
    error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand as HelpWhereNothingIsAsked,
    parser::ValueSource,
};

use self::{file::ConfigFile, setting::Setting};
use crate::{args::Cli, error::Hinted, pages};

/// Parses the arguments of this process.
pub(crate) fn command_line(args: &[OsString]) -> anyhow::Result<Cli> {
    // help shows what this program does by itself, also where the file is wrong
    if let Err(help) = pages::of(own_command()).try_get_matches_from(args)
        && (!help.use_stderr() || help.kind() == HelpWhereNothingIsAsked)
    {
        return Err(help.into());
    }
    let Some(file) = ConfigFile::find(args)? else {
        return parse(own_command(), args, &[]).map(|(cli, _)| cli);
    };
    let mut settings = setting::of(&own_command(), &file)?;
    warn_of_password(&file, &settings);
    loop {
        let (cli, beaten) = parse(setting::apply(own_command(), &settings), args, &settings)?;
        if beaten.is_empty() {
            return refuse_pairs(&own_command(), &file, &settings).map(|()| cli);
        }
        settings.retain(|setting| !beaten.contains(&setting.key()));
    }
}

/// The command line of this program. A variable that is set to nothing, as files of variables often
/// do, counts as not set; and one that is set is no reason not to print the help when nothing else
/// is given.
fn own_command() -> Command {
    let alone = std::env::args_os().len() <= 1;
    Cli::command().mut_args(|arg| {
        let empty = alone
            || arg
                .get_env()
                .is_some_and(|name| std::env::var_os(name).is_some_and(|value| value.is_empty()));
        if empty { arg.env(Resettable::<OsStr>::Reset) } else { arg }
    })
}

/// Parses, and says which settings of the file conflict with a flag that was given: the flag wins.
fn parse(
    mut command: Command,
    args: &[OsString],
    settings: &[Setting],
) -> anyhow::Result<(Cli, BTreeSet<String>)> {
    let bare = without_variables(command.clone());
    let matches =
        command.try_get_matches_from_mut(args).map_err(|error| of_the_line(error, bare, args))?;
    let beaten = settings
        .iter()
        .filter(|setting| {
            let found = setting.command_in(&command).zip(matches_of(&matches, &setting.path));
            found.is_some_and(|(command, matches)| {
                let given = |id: &str| {
                    let source =
                        matches.try_contains_id(id).is_ok().then(|| matches.value_source(id));
                    matches!(
                        source.flatten(),
                        Some(ValueSource::CommandLine | ValueSource::EnvVariable)
                    )
                };
                !given(&setting.id) && rivals(command, &setting.id).iter().any(|id| given(id))
            })
        })
        .map(Setting::key)
        .collect();
    let cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
    Ok((cli, beaten))
}

fn without_variables(command: Command) -> Command {
    command.mut_args(|arg| arg.env(Resettable::<OsStr>::Reset))
}

/// Makes the same error without what the environment gives: else its usage line asks for
/// `--database-url <URL>` wherever DATABASE_URL is set. An error about a variable stays as it is.
fn of_the_line(error: clap::Error, bare: Command, args: &[OsString]) -> clap::Error {
    match bare.try_get_matches_from(args) {
        Err(same) if same.kind() == error.kind() => same,
        _ => error,
    }
}

/// What was given to a command, if it is the one that runs.
fn matches_of<'a>(matches: &'a ArgMatches, path: &[String]) -> Option<&'a ArgMatches> {
    path.iter().try_fold(matches, |matches, name| matches.subcommand_matches(name))
}

/// Lists the flags that cannot be used together with one, whether it or the other flag says so.
fn rivals(command: &Command, id: &str) -> BTreeSet<String> {
    let conflicts = |arg: &clap::Arg| -> BTreeSet<String> {
        let others = command.get_arg_conflicts_with(arg);
        others.into_iter().map(|other| other.get_id().to_string()).collect()
    };
    let mut found = BTreeSet::new();
    for arg in command.get_arguments() {
        if arg.get_id() == id {
            found.append(&mut conflicts(arg));
        } else if conflicts(arg).contains(id) {
            found.insert(arg.get_id().to_string());
        }
    }
    found
}

/// Refuses a file that sets two flags which exclude each other.
fn refuse_pairs(command: &Command, file: &ConfigFile, settings: &[Setting]) -> anyhow::Result<()> {
    for (at, one) in settings.iter().enumerate() {
        let Some(command) = one.command_in(command) else { continue };
        let rivals = rivals(command, &one.id);
        let rest = settings[at + 1..].iter();
        if let Some(other) =
            rest.filter(|other| other.path == one.path).find(|other| rivals.contains(&other.id))
        {
            return Err(Hinted::usage(
                format!("{}: {} and {} exclude each other", file.name(), one.key(), other.key()),
                "keep one of them",
            )
            .into());
        }
    }
    Ok(())
}

/// Warns on stderr when others can read a password in the file.
fn warn_of_password(file: &ConfigFile, settings: &[Setting]) {
    let holds = settings.iter().any(|setting| {
        setting.path.is_empty()
            && setting.id == "database_url"
            && setting.values.iter().any(|url| has_password(url))
    });
    if holds && file.mode & 0o044 != 0 {
        eprintln!("warning: {} holds a password and others may read it", file.name());
        eprintln!("hint: chmod 600 {}", file.name());
    }
}

fn has_password(url: &str) -> bool {
    let user = url.split_once("://").and_then(|(_, rest)| rest.split_once('@'));
    user.is_some_and(|(user, _)| user.contains(':')) || url.contains("password=")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_seen_in_both_kinds_of_connection_text() {
        assert!(has_password("postgres://app:hunter2@db/app"));
        assert!(has_password("host=db password=hunter2"));
        assert!(!has_password("postgres://app@db:5432/app"));
        assert!(!has_password("host=db user=app"));
    }
}
