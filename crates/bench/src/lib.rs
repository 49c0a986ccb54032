//! `fairclaim bench`: what this build does on this machine.
//!
//! A scenario gets a `Target` (a private server, or the database that was named), takes a fresh
//! `Site` of it for every repetition, and answers with a [`Report`].

#![forbid(unsafe_code)]
// as for the binary
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts and figures for people, far from their limits"
)]
#![allow(clippy::format_push_string, reason = "reads better than write! and its error")]

mod claimer;
mod classic;
mod counters;
mod crew;
mod dispatch;
mod drain;
mod everyday;
mod fairness;
mod flags;
mod held;
mod held_snapshot;
mod history;
mod idle;
mod latency;
mod load;
mod machine;
mod once_used;
mod pacer;
mod payloads;
mod progress;
mod push;
mod report;
mod scenario;
mod slow_transactions;
mod spread;
mod staff;
mod tally;
mod target;
mod ticker;
mod trickle;
mod trickle_cost;
mod types;
mod wal;
mod work;

use anyhow::Result;
use clap::{Args, Subcommand};
use fairclaim::ConnectOptions;

use flags::Run;
use scenario::Measure;
use target::Target;

pub use report::Report;
pub use target::ForeignJobs;

const EXAMPLES: &str = "\
Examples:
  fairclaim bench drain --quick
  fairclaim bench latency --quick --json";

/// Without a database it starts a private PostgreSQL with durable settings, and takes a new
/// database of it for every repetition. With one it works in queues named `bench-…` and leaves
/// their jobs behind: name a database that you can drop. bench/METHOD.md says how to read the
/// figures.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Bench {
    #[command(subcommand)]
    scenario: Scenarios,
}

#[derive(Debug, Subcommand)]
enum Scenarios {
    /// Jobs that do nothing, until none is left: jobs a second
    #[command(after_help = "Examples:\n  fairclaim bench drain --quick")]
    Drain(Run<drain::DrainFlags>),
    /// Dispatches a second, and against a bare INSERT into one plain table
    #[command(after_help = "Examples:\n  fairclaim bench dispatch --quick")]
    Dispatch(Run<dispatch::DispatchFlags>),
    /// From a dispatch's commit to the start of its handler, on an idle queue
    #[command(after_help = "Examples:\n  fairclaim bench latency --quick")]
    Latency(Run<latency::LatencyFlags>),
    /// Jobs a second while a reader's snapshot and an unrelated writer stay open
    #[command(after_help = "Examples:\n  fairclaim bench held-snapshot --quick")]
    HeldSnapshot(Run<held_snapshot::HeldSnapshotFlags>),
    /// The cost of a claim while tenants trickle under a held snapshot
    #[command(after_help = "Examples:\n  fairclaim bench held-trickle --quick")]
    HeldTrickle(Run<trickle::HeldTrickleFlags>),
    /// How many jobs are claimed until every small tenant was served behind a big one
    #[command(after_help = "Examples:\n  fairclaim bench fairness --quick")]
    Fairness(Run<fairness::FairnessFlags>),
    /// One tenant's flood beside a thousand tenants that trickle
    #[command(after_help = "Examples:\n  fairclaim bench everyday --quick")]
    Everyday(Run<everyday::EverydayFlags>),
    /// The cost of a claim with very many trickling tenants, against few
    #[command(after_help = "Examples:\n  fairclaim bench trickling --quick")]
    Trickling(Run<trickle::TrickleFlags>),
    /// What a job costs where few come: transactions, claims in vain, server CPU, and its wait
    #[command(after_help = "Examples:\n  fairclaim bench trickle-cost --quick")]
    TrickleCost(Run<trickle_cost::TrickleCostFlags>),
    /// The cost of a claim that names the types it wants, against one that takes all
    #[command(after_help = "Examples:\n  fairclaim bench types --quick")]
    Types(Run<types::TypesFlags>),
    /// Dispatches a second, and server CPU a job, by the size of the payload
    #[command(after_help = "Examples:\n  fairclaim bench payloads --quick")]
    Payloads(Run<payloads::PayloadsFlags>),
    /// The cost of an empty claim, and the lanes that are left, after very many tenants came once
    #[command(after_help = "Examples:\n  fairclaim bench once-used --quick")]
    OnceUsed(Run<once_used::OnceUsedFlags>),
    /// How long jobs wait that were dispatched early in transactions of some seconds
    #[command(after_help = "Examples:\n  fairclaim bench slow-transactions --quick")]
    SlowTransactions(Run<slow_transactions::SlowTransactionsFlags>),
    /// Transactions, write-ahead log and server CPU of workers that have nothing to do
    #[command(after_help = "Examples:\n  fairclaim bench idle --quick")]
    Idle(Run<idle::IdleFlags>),
}

impl Scenarios {
    fn chosen(&self) -> &dyn Measure {
        match self {
            Self::Drain(run) => run,
            Self::Dispatch(run) => run,
            Self::Latency(run) => run,
            Self::HeldSnapshot(run) => run,
            Self::HeldTrickle(run) => run,
            Self::Fairness(run) => run,
            Self::Everyday(run) => run,
            Self::Trickling(run) => run,
            Self::TrickleCost(run) => run,
            Self::Types(run) => run,
            Self::Payloads(run) => run,
            Self::OnceUsed(run) => run,
            Self::SlowTransactions(run) => run,
            Self::Idle(run) => run,
        }
    }
}

impl Bench {
    /// Whether the report is wanted as JSON.
    pub fn json(&self) -> bool {
        self.scenario.chosen().common().json
    }

    /// Runs the scenario: in the database that is named, else on a private server.
    pub async fn measure(&self, url: Option<&str>, connect: ConnectOptions) -> Result<Report> {
        let scenario = self.scenario.chosen();
        let target = Target::open(url, connect, scenario.common().quick).await?;
        let report = scenario.measure(&target).await;
        target.close().await?;
        report
    }
}
