//! The flags of `bench`.

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use super::work::Fleet;
use super::{
    dispatch, drain, everyday, fairness, held_snapshot, idle, latency, once_used, payloads,
    slow_transactions, trickle, trickle_cost, types,
};
use crate::value::within;

/// Flags that all scenarios have.
#[derive(Debug, Clone, Args)]
pub(crate) struct Common {
    /// How often it is repeated; the median counts
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) reps: Option<u32>,
    /// One JSON document instead of text
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Tiny sizes, to see that it works; the figures mean nothing
    #[arg(long, global = true)]
    pub(crate) quick: bool,
}

impl Common {
    /// What was asked for, else the size of a real or of a quick run.
    pub(crate) fn size<T>(&self, asked: Option<T>, real: T, quick: T) -> T {
        asked.unwrap_or(if self.quick { quick } else { real })
    }

    pub(crate) fn reps(&self, real: u32) -> u32 {
        self.size(self.reps, real, 1)
    }

    /// How many commits measure what a commit costs.
    pub(crate) fn commits(&self) -> usize {
        self.size(None, 200, 5)
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Scenario {
    /// Jobs that do nothing, until none is left: jobs a second
    #[command(after_help = "Examples:\n  fairclaim bench drain --quick")]
    Drain(drain::Options),
    /// Dispatches a second, and against a bare INSERT into one plain table
    #[command(after_help = "Examples:\n  fairclaim bench dispatch --quick")]
    Dispatch(dispatch::Options),
    /// From a dispatch's commit to the start of its handler, on an idle queue
    #[command(after_help = "Examples:\n  fairclaim bench latency --quick")]
    Latency(latency::Options),
    /// Jobs a second while a reader's snapshot and an unrelated writer stay open
    #[command(after_help = "Examples:\n  fairclaim bench held-snapshot --quick")]
    HeldSnapshot(held_snapshot::Options),
    /// The cost of a claim while tenants trickle under a held snapshot
    #[command(after_help = "Examples:\n  fairclaim bench held-trickle --quick")]
    HeldTrickle(trickle::HeldOptions),
    /// How many jobs are claimed until every small tenant was served behind a big one
    #[command(after_help = "Examples:\n  fairclaim bench fairness --quick")]
    Fairness(fairness::Options),
    /// One tenant's flood beside a thousand tenants that trickle
    #[command(after_help = "Examples:\n  fairclaim bench everyday --quick")]
    Everyday(everyday::Options),
    /// The cost of a claim with very many trickling tenants, against few
    #[command(after_help = "Examples:\n  fairclaim bench trickling --quick")]
    Trickling(trickle::Options),
    /// What a job costs where few come: transactions, claims in vain, server CPU, and its wait
    #[command(after_help = "Examples:\n  fairclaim bench trickle-cost --quick")]
    TrickleCost(trickle_cost::Options),
    /// The cost of a claim that names the types it wants, against one that takes all
    #[command(after_help = "Examples:\n  fairclaim bench types --quick")]
    Types(types::Options),
    /// Dispatches a second, and server CPU a job, by the size of the payload
    #[command(after_help = "Examples:\n  fairclaim bench payloads --quick")]
    Payloads(payloads::Options),
    /// The cost of an empty claim, and the lanes that are left, after very many tenants came once
    #[command(after_help = "Examples:\n  fairclaim bench once-used --quick")]
    OnceUsed(once_used::Options),
    /// How long jobs wait that were dispatched early in transactions of some seconds
    #[command(after_help = "Examples:\n  fairclaim bench slow-transactions --quick")]
    SlowTransactions(slow_transactions::Options),
    /// Transactions, write-ahead log and server CPU of workers that have nothing to do
    #[command(after_help = "Examples:\n  fairclaim bench idle --quick")]
    Idle(idle::Options),
}

/// Who works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Through {
    /// The worker runtime of the library, with handlers that do nothing
    Worker,
    /// Plain connections that claim and settle: what the protocol costs by itself
    Sql,
}

/// How the library's workers are set up.
#[derive(Debug, Args)]
pub(crate) struct FleetOptions {
    /// Workers in this process, or connections with --through sql
    #[arg(long, value_name = "N", value_parser = within::<usize>(1..=64))]
    workers: Option<usize>,
    /// Handlers at once in one worker
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = within::<usize>(1..=10_000))]
    concurrency: usize,
    /// Connections of one worker for claims and settlements
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = within::<usize>(1..=8))]
    connections: usize,
    /// The most jobs that a worker claims or settles in one call
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = within::<usize>(1..=1_000))]
    max_batch: usize,
}

impl FleetOptions {
    pub(crate) fn fleet(&self, workers: usize) -> Fleet {
        Fleet {
            workers: self.workers.unwrap_or(workers),
            concurrency: self.concurrency,
            connections: self.connections,
            max_batch: self.max_batch,
        }
    }
}
