//! The chores of this repository: `cargo xtask <chore>`.

mod golden;
mod options;
mod pooled;
mod profile;
mod server;
mod step;
mod suite;
mod tally;
mod tidy;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use options::{Chore, HELP};

fn main() -> ExitCode {
    let done = match options::parse(std::env::args().skip(1)) {
        Ok(Chore::Help) => {
            println!("{HELP}");
            Ok(true)
        }
        Ok(Chore::Test(options)) => suite::run(&options),
        Ok(Chore::Tidy) => tidy::run(),
        Ok(Chore::Golden) => golden::run(),
        Err(wrong) => {
            eprintln!("error: {wrong}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            if let Some(hint) = error
                .downcast_ref::<private_postgres::Error>()
                .and_then(private_postgres::Error::hint)
            {
                eprintln!("hint: {hint}");
            }
            ExitCode::FAILURE
        }
    }
}

/// The folder of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned).unwrap_or_default()
}
