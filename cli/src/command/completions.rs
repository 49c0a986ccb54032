//! `fairclaim completions`: what a shell needs to complete this command line.

use clap::{Args, Command, CommandFactory};
use clap_complete::{Shell, generate};

use crate::args::Cli;
use crate::output;

/// Prints a script for the shell. For bash: fairclaim completions bash > ~/.local/share/bash-completion/completions/fairclaim
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// Which shell
    shell: Shell,
}

pub(crate) fn run(args: &CompletionsArgs) -> anyhow::Result<()> {
    let mut script = Vec::new();
    generate(args.shell, &mut visible(), "fairclaim", &mut script);
    output::line(String::from_utf8(script)?.trim_end())
}

/// The command line without the commands that are not for people, which some shells would be offered too.
fn visible() -> Command {
    let whole = Cli::command();
    Command::new("fairclaim")
        .version(env!("CARGO_PKG_VERSION"))
        .args(whole.get_arguments().cloned())
        .subcommands(whole.get_subcommands().filter(|command| !command.is_hide_set()).cloned())
}
