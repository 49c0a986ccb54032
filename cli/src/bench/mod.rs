//! `fairclaim bench`: what this build does on this machine.
//!
//! A scenario gets a [`Place`] (a private server, or the database that was named), takes a fresh
//! [`place::Site`] of it for every repetition, and answers with a [`report::Report`].

mod claimer;
mod classic;
mod counters;
mod crew;
mod dispatch;
mod drain;
mod everyday;
mod fairness;
mod held;
mod held_snapshot;
mod history;
mod idle;
mod latency;
mod load;
mod machine;
mod once_used;
mod options;
mod pacer;
mod payloads;
mod place;
mod push;
mod report;
mod slow_transactions;
mod spread;
mod tally;
mod ticker;
mod trickle;
mod trickle_cost;
mod types;
mod wal;
mod work;

use std::io::IsTerminal;

pub(crate) use options::{Common, Scenario};

use crate::global::Global;
use machine::Surroundings;
use place::Place;
use report::Report;

/// Runs one scenario.
pub(crate) async fn measure(
    global: &Global,
    common: &Common,
    scenario: Scenario,
) -> anyhow::Result<Report> {
    let place = Place::open(global, common.quick).await?;
    let report = match scenario {
        Scenario::Drain(options) => drain::run(&place, common, &options).await,
        Scenario::Dispatch(options) => dispatch::run(&place, common, &options).await,
        Scenario::Latency(options) => latency::run(&place, common, &options).await,
        Scenario::HeldSnapshot(options) => held_snapshot::run(&place, common, &options).await,
        Scenario::HeldTrickle(options) => trickle::run_held(&place, common, &options).await,
        Scenario::Fairness(options) => fairness::run(&place, common, &options).await,
        Scenario::Everyday(options) => everyday::run(&place, common, &options).await,
        Scenario::Trickling(options) => trickle::run(&place, common, &options).await,
        Scenario::TrickleCost(options) => trickle_cost::run(&place, common, &options).await,
        Scenario::Types(options) => types::run(&place, common, &options).await,
        Scenario::Payloads(options) => payloads::run(&place, common, &options).await,
        Scenario::OnceUsed(options) => once_used::run(&place, common, &options).await,
        Scenario::SlowTransactions(options) => {
            slow_transactions::run(&place, common, &options).await
        }
        Scenario::Idle(options) => idle::run(&place, common, &options).await,
    };
    place.close().await?;
    report
}

/// Where a scenario runs, for its report.
async fn surroundings(place: &Place) -> anyhow::Result<Surroundings> {
    Surroundings::look(&place.session().await?).await
}

/// Long scenarios say where they are, on a terminal and never in the answer.
fn progress(text: impl AsRef<str>) {
    if std::io::stderr().is_terminal() {
        eprintln!("bench: {}", text.as_ref());
    }
}
