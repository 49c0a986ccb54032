//! The flags of the command that runs, by the names that the protocol has for what they set: an
//! error about `queue` is told as one about `--queue`.

use std::{collections::BTreeMap, ffi::OsString};

use clap::{Arg, Command};

/// What the command is called, and its flags.
#[derive(Debug, Default)]
pub(crate) struct Flags {
    call: String,
    names: BTreeMap<String, String>,
}

impl Flags {
    /// Finds the flags of the command that these arguments name.
    pub(crate) fn of(command: &Command, args: &[OsString]) -> Self {
        let (mut command, mut call) = (command, command.get_name().to_owned());
        for word in args.iter().skip(1).filter_map(|arg| arg.to_str()) {
            if let Some(inner) = command.find_subcommand(word) {
                command = inner;
                call = format!("{call} {word}");
            }
        }
        Self { call, names: command.get_arguments().map(entry).collect() }
    }

    /// Answers how a field is given on the command line, if this command takes it.
    pub(crate) fn name(&self, field: &str) -> Option<&str> {
        let flag = match field {
            "tenant_id" => "tenant",
            "tags" => "tag",
            "worker_id" if !self.names.contains_key(field) => "worker",
            "before_id" => "before",
            "poll_interval" => "poll",
            field => field,
        };
        self.names.get(flag).map(String::as_str)
    }

    /// Rewrites a text of the library or the database with the flags of this command in place of
    /// the names that SQL and Rust have for them. A name is known by its `_`, or because it is what
    /// the text says to change or to set: `queue` and `type` are words of plain sentences too. What
    /// stands between backticks is to be typed as it is.
    pub(crate) fn told(&self, text: &str) -> String {
        let mut told = String::with_capacity(text.len());
        for (at, part) in text.split('`').enumerate() {
            if at > 0 {
                told.push('`');
            }
            if at % 2 == 0 { self.tell(part, &mut told) } else { told.push_str(part) }
        }
        told
    }

    fn tell(&self, text: &str, told: &mut String) {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let mut before = "";
        for piece in text.split_inclusive(|c| !is_name(c)) {
            let word = piece.trim_end_matches(|c| !is_name(c));
            let names = word.contains('_') || matches!(before, "change " | "set ");
            let flag = self.name(word.strip_prefix("p_").unwrap_or(word)).filter(|_| names);
            told.push_str(flag.unwrap_or(word));
            told.push_str(&piece[word.len()..]);
            before = piece;
        }
    }

    /// Says where the help of this command is.
    pub(crate) fn help(&self) -> String {
        format!("`{} --help`", self.call)
    }
}

/// A flag is known by its long name, and what stands without one by its place in the code.
fn entry(arg: &Arg) -> (String, String) {
    if let Some(long) = arg.get_long() {
        return (long.replace('-', "_"), format!("--{long}"));
    }
    let name = arg.get_id().as_str().to_owned();
    let shown = arg.get_value_names().and_then(<[_]>::first).map(ToString::to_string);
    let shown = shown.unwrap_or_else(|| name.to_ascii_uppercase());
    (name, format!("<{shown}>"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Cli;
    use clap::CommandFactory;

    fn flags(line: &str) -> Flags {
        let args: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        Flags::of(&Cli::command(), &args)
    }

    #[test]
    fn a_field_is_told_by_the_flag_that_sets_it() {
        let dispatch = flags("fairclaim --color never dispatch --type t");
        for (field, flag) in [
            ("queue", "--queue"),
            ("type", "--type"),
            ("tenant_id", "--tenant"),
            ("max_attempts", "--max-attempts"),
            ("tags", "--tag"),
        ] {
            assert_eq!(dispatch.name(field), Some(flag), "{field}");
        }
        assert_eq!(dispatch.name("transaction"), None);
        assert_eq!(dispatch.help(), "`fairclaim dispatch --help`");
        let pause = flags("fairclaim queues pause Mail");
        assert_eq!(pause.name("queue"), Some("<QUEUE>"));
        assert_eq!(pause.help(), "`fairclaim queues pause --help`");
        assert_eq!(flags("fairclaim jobs release --worker w").name("worker_id"), Some("--worker"));
    }

    #[test]
    fn a_hint_of_the_server_speaks_of_flags() {
        let dispatch = flags("fairclaim dispatch --type t");
        for (hint, told) in [
            ("a time as run_at, and not both", "a time as --run-at, and not both"),
            ("(p_tenant_id)", "(--tenant)"),
            ("change queue as the message says", "change --queue as the message says"),
            ("use lowercase letters for a queue", "use lowercase letters for a queue"),
            ("set p_delay", "set --delay"),
            ("or `x set max_attempts`, max_attempts", "or `x set max_attempts`, --max-attempts"),
            ("grant fairclaim_producer to a_b", "grant fairclaim_producer to a_b"),
            ("é_é run_at", "é_é --run-at"),
        ] {
            assert_eq!(dispatch.told(hint), told);
        }
        let work = flags("fairclaim work --exec a=b");
        assert_eq!(work.told("set poll_interval to 5 ms"), "set --poll to 5 ms");
        assert_eq!(work.told("set lease to 1 s"), "set --lease to 1 s");
    }
}
