//! `fairclaim man`: manual pages.

use std::path::PathBuf;

use clap::{Args, Command};
use clap_mangen::{Man, generate_to};

use crate::error::Hinted;
use crate::output;

const EXAMPLES: &str = "\
Examples:
  fairclaim man > fairclaim.1
  fairclaim man --dir ./man1";

/// Without --dir it prints the first page: fairclaim man | man -l -
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ManArgs {
    /// Write a page for every command into this folder, which is made when it is missing
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(crate) fn run(args: &ManArgs, command_line: &Command) -> anyhow::Result<()> {
    let Some(dir) = &args.dir else {
        let mut page = Vec::new();
        Man::new(command_line.clone()).render(&mut page)?;
        return output::line(String::from_utf8(page)?.trim_end());
    };
    let written =
        std::fs::create_dir_all(dir).and_then(|()| generate_to(command_line.clone(), dir));
    written.map_err(|error| {
        Hinted::failed(
            format!("cannot write manual pages into {}: {error}", dir.display()),
            "--dir names a folder that this user may write to, like ~/.local/share/man/man1",
        )
        .into()
    })
}
