//! The help pages: a short one for `-h`, which fits a screen, and a long one for `--help` with
//! explanations and examples. The flags that every command takes stand on the page of the whole
//! program only; all others say where they are.

use clap::Command;

const SHORT: &str = "\
`--help` explains more and has examples. Flags of every command, like --database-url:
`fairclaim --help`";
const LONG: &str = "Flags of every command, like --database-url: `fairclaim --help`";

/// Makes the command line as its pages show it.
pub(crate) fn of(mut root: Command) -> Command {
    // spreads the flags of every command, so that they can be hidden one by one
    root.build();
    root.mut_subcommands(page)
}

fn page(command: Command) -> Command {
    let explained = command.get_after_help().map(ToString::to_string);
    // the examples come last
    let long = match explained {
        Some(text) => format!("{LONG}\n\n{text}"),
        None => LONG.to_owned(),
    };
    command
        .mut_args(|arg| {
            let everywhere = arg.is_global_set();
            if everywhere { arg.hide(true) } else { arg }
        })
        .after_help(SHORT)
        .after_long_help(long)
        .mut_subcommands(page)
}
