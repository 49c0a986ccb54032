//! `fairclaim man`: manual pages.

use std::path::PathBuf;

use clap::{Args, CommandFactory};
use clap_mangen::{Man, generate_to};

use crate::args::Cli;
use crate::error::Hinted;
use crate::output;

/// Without --dir it prints the first page: fairclaim man | man -l -
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Write a page for every command into this folder, which is made when it is missing
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(crate) fn run(args: &ManArgs) -> anyhow::Result<()> {
    let Some(dir) = &args.dir else {
        let mut page = Vec::new();
        Man::new(Cli::command()).render(&mut page)?;
        return output::line(String::from_utf8(page)?.trim_end());
    };
    let written = std::fs::create_dir_all(dir).and_then(|()| generate_to(Cli::command(), dir));
    written.map_err(|error| {
        Hinted::failed(
            format!("cannot write manual pages into {}: {error}", dir.display()),
            "--dir names a folder that this user may write to, like ~/.local/share/man/man1",
        )
        .into()
    })
}
