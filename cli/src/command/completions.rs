//! `fairclaim completions`: what a shell needs to complete this command line.

use clap::{Args, Command};
use clap_complete::{Shell, generate};

use crate::output;

const EXAMPLES: &str = "\
For good, with bash:
  mkdir -p ~/.local/share/bash-completion/completions
  fairclaim completions bash > ~/.local/share/bash-completion/completions/fairclaim

Examples:
  fairclaim completions bash > fairclaim.bash
  fairclaim completions fish > fairclaim.fish";

/// Prints a script for the shell.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CompletionsArgs {
    /// Which shell
    shell: Shell,
}

pub(crate) fn run(args: &CompletionsArgs, command_line: &Command) -> anyhow::Result<()> {
    let mut script = Vec::new();
    generate(args.shell, &mut visible(command_line), "fairclaim", &mut script);
    output::line(String::from_utf8(script)?.trim_end())
}

/// Makes the command line without the commands that are not for people, which some shells would be
/// offered too.
fn visible(whole: &Command) -> Command {
    Command::new("fairclaim")
        .version(env!("CARGO_PKG_VERSION"))
        .args(whole.get_arguments().cloned())
        .subcommands(whole.get_subcommands().filter(|command| !command.is_hide_set()).cloned())
}
