//! `fairclaim jobs`: what is there, what became of it, and what to do about it.

mod action;
mod change;
mod filter;
mod list;
mod matches;
mod release;
mod show;
mod story;
mod table;
mod watch;
mod why;

use clap::{Args, Subcommand};

use crate::global::Global;
use action::Action;

const EXAMPLES: &str = "\
Examples:
  fairclaim jobs list --status failed
  fairclaim jobs show 01990000-0000-7000-8000-000000000000
  fairclaim jobs retry --status failed --newer-than 1d --dry-run";

/// Needs the role fairclaim_operator; payloads, results and errors also need fairclaim_auditor.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct JobsArgs {
    #[command(subcommand)]
    command: JobsCommand,
}

#[derive(Debug, Subcommand)]
enum JobsCommand {
    /// List jobs, newest first
    List(list::ListArgs),
    /// Show one job with everything that this login may see of it
    Show(show::ShowArgs),
    /// Tell why a job waits: what is ahead of it, what stops it, when it is due
    #[command(after_help = why::HELP)]
    Why(why::WhyArgs),
    /// Cancel jobs: what waits ends at once, what runs is asked to stop
    #[command(after_help = change::CANCEL_HELP)]
    Cancel(change::ChangeArgs),
    /// Run jobs again, with all their attempts
    #[command(after_help = change::RETRY_HELP)]
    Retry(change::ChangeArgs),
    /// Delete jobs that wait or have ended, with their results, errors and history
    #[command(after_help = change::DELETE_HELP)]
    Delete(change::ChangeArgs),
    /// Take running jobs back from workers that are gone
    #[command(after_help = release::HELP)]
    Release(release::ReleaseArgs),
}

pub(crate) async fn run(global: &Global, args: JobsArgs) -> anyhow::Result<()> {
    match args.command {
        JobsCommand::List(args) => list::run(global, &args).await,
        JobsCommand::Show(args) => show::run(global, &args).await,
        JobsCommand::Why(args) => why::run(global, &args).await,
        JobsCommand::Cancel(args) => change::run(global, Action::Cancel, &args).await,
        JobsCommand::Retry(args) => change::run(global, Action::Retry, &args).await,
        JobsCommand::Delete(args) => change::run(global, Action::Delete, &args).await,
        JobsCommand::Release(args) => release::run(global, &args).await,
    }
}
