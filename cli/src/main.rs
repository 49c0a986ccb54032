//! The `fairclaim` binary: a command line over the library, which is a thin layer over the SQL
//! protocol. Commands know words, flags and exit codes; what happens to a job is decided in SQL.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts and figures for people, far from their limits"
)]
#![allow(clippy::format_push_string, reason = "reads better than write! and its error")]

mod args;
mod color;
mod command;
mod config;
mod connect;
mod demo;
mod error;
mod exec;
mod figure;
mod flags;
mod global;
mod log;
mod output;
mod pages;
mod reason;
mod screen;
mod signals;
mod value;
mod wake_port;
mod words;

use std::{ffi::OsString, process::ExitCode};

use clap::CommandFactory;

use crate::{args::Cli, flags::Flags};

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    let flags = Flags::of(&Cli::command(), &args);
    let cli = match config::command_line(&args) {
        Ok(cli) => cli,
        Err(wrong) => {
            return match wrong.downcast_ref() {
                Some(usage) => error::report_usage(usage, &flags),
                None => error::report(&wrong, &flags),
            };
        }
    };
    match command::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => error::report(&failure, &flags),
    }
}
