//! `fairclaim bench`: what this build does on this machine.
//!
//! A scenario gets a [`Place`] (a private server, or the database that was named), takes a fresh
//! [`place::Site`] of it for every repetition, and answers with a [`report::Report`].

mod classic;
mod claimer;
mod crew;
mod dispatch;
mod drain;
mod everyday;
mod fairness;
mod held;
mod held_snapshot;
mod history;
mod latency;
mod load;
mod machine;
mod options;
mod pacer;
mod place;
mod report;
mod spread;
mod tally;
mod ticker;
mod trickle;
mod wal;
mod work;

pub(crate) use options::BenchArgs;

use std::io::IsTerminal;

use crate::args::Global;
use crate::output;
use machine::Surroundings;
use options::Scenario;
use place::Place;

/// Runs one scenario and prints its report.
pub(crate) async fn run(global: &Global, args: BenchArgs) -> anyhow::Result<()> {
    let place = Place::open(global, args.common.quick).await?;
    let common = &args.common;
    let report = match args.scenario {
        Scenario::Drain(options) => drain::run(&place, common, &options).await,
        Scenario::Dispatch(options) => dispatch::run(&place, common, &options).await,
        Scenario::Latency(options) => latency::run(&place, common, &options).await,
        Scenario::HeldSnapshot(options) => held_snapshot::run(&place, common, &options).await,
        Scenario::HeldTrickle(options) => trickle::run_held(&place, common, &options).await,
        Scenario::Fairness(options) => fairness::run(&place, common, &options).await,
        Scenario::Everyday(options) => everyday::run(&place, common, &options).await,
        Scenario::Trickling(options) => trickle::run(&place, common, &options).await,
    };
    place.close().await?;
    let report = report?;
    if common.json { output::json(&report) } else { output::line(report.render()) }
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
