//! `bench slow-transactions`: applications that dispatch early in a transaction of some seconds. Their
//! jobs become visible behind others that were dispatched later, and must not wait for long then.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::claimer::Claimer;
use super::load::{tenant, type_name};
use super::options::Common;
use super::pacer::{Commit, Pace, Pacer, began, micros, own_micros, stamped};
use super::place::{Place, Session, Site};
use super::report::Report;
use super::spread::Samples;
use super::tally::Tally;
use super::ticker::Ticker;
use super::{progress, surroundings};
use crate::value::within;

/// Tenants of the other load; those of the slow transactions come after them.
const TENANTS: u64 = 100_000;
/// Jobs a claim takes at most.
const CLAIM: i32 = 100;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Connections with a slow transaction after the other
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = within::<u64>(1..=40))]
    connections: u64,
    /// How long a transaction stays open in the middle, half as much to half as much again [default: 5]
    #[arg(long, value_name = "SECONDS", value_parser = within::<f64>(0.01..=3_600.0))]
    open: Option<f64>,
    /// Jobs that each of them dispatches when it begins
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = within::<u64>(1..=1_000))]
    each: u64,
    /// How many types the jobs have in turn [default: 100]
    #[arg(long, value_name = "N", value_parser = within::<u64>(1..=1_000))]
    types: Option<u64>,
    /// Jobs a second of other, short transactions, of the same types
    #[arg(long, value_name = "N", default_value_t = 500.0, value_parser = within::<f64>(0.1..=100_000.0))]
    rate: f64,
    /// How long all this goes on [default: 60]
    #[arg(long, value_name = "SECONDS", value_parser = within::<f64>(0.1..=86_400.0))]
    seconds: Option<f64>,
    /// How long jobs are waited for in the end [default: 30]
    #[arg(long, value_name = "SECONDS", value_parser = within::<f64>(0.1..=86_400.0))]
    patience: Option<f64>,
}

#[derive(Debug, Clone, Serialize)]
struct Sizes {
    connections: u64,
    open: f64,
    each: u64,
    types: u64,
    rate: f64,
    seconds: f64,
    patience: f64,
    reps: u32,
}

pub(crate) async fn run(
    place: &Place,
    common: &Common,
    options: &Options,
) -> anyhow::Result<Report> {
    let sizes = Sizes {
        connections: options.connections,
        open: common.size(options.open, 5.0, 0.2),
        each: options.each,
        types: common.size(options.types, 100, 10),
        rate: options.rate,
        seconds: common.size(options.seconds, 60.0, 1.0),
        patience: options.patience.unwrap_or(30.0),
        reps: common.reps(1),
    };
    let mut report = Report::new("slow-transactions", &sizes, surroundings(place).await?)?;
    for rep in 1..=sizes.reps {
        progress(format!("slow-transactions, repetition {rep} of {}", sizes.reps));
        let site = place.site().await?;
        once(&site, &sizes, &mut report, rep).await?;
        site.close().await?;
    }
    Ok(report)
}

async fn once(site: &Site, sizes: &Sizes, report: &mut Report, rep: u32) -> anyhow::Result<()> {
    // only the owner sees what waits for a new number
    let owner = site.session().await?;
    owner.batch_execute("set role fairclaim_owner").await?;
    let ticker = Ticker::start(site).await?;
    let claimed = Arc::new(Tally::default());
    let (claimers_stop, mut claimers) = (CancellationToken::new(), JoinSet::new());
    for number in 0..2 {
        let claimer = Claimer::open(site, format!("bench-{number}"), CLAIM).await?;
        claimers.spawn(claim_until(claimer, claimed.clone(), claimers_stop.clone()));
    }
    let (stop, mut slow) = (CancellationToken::new(), JoinSet::new());
    for number in 0..sizes.connections {
        let session = site.session().await?;
        let (queue, sizes) = (site.queue.clone(), sizes.clone());
        slow.spawn(transactions(session, queue, sizes, number, stop.clone()));
    }
    let pace = Pace {
        queue: site.queue.clone(),
        first_tenant: 1,
        tenants: TENANTS,
        types: sizes.types,
        rate: sizes.rate,
        connections: 4,
    };
    let pacer = Pacer::start(site, &pace).await?;
    let mut renewals = Vec::new();
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_secs_f64(sizes.seconds / 10.0)).await;
        renewals.push(renewal(&owner).await?);
    }
    stop.cancel();
    let others = pacer.stop().await?.commits;
    let mut commits = Vec::new();
    while let Some(done) = slow.join_next().await {
        commits.extend(done??);
    }
    let (all, end) = ((others.len() + commits.len()) as u64, Instant::now());
    while claimed.completed() < all && end.elapsed().as_secs_f64() < sizes.patience {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    report.add("rows of renewal at the end of the load", "rows", renewals[renewals.len() - 1]);
    report.add("rows of renewal at the end", "rows", renewal(&owner).await?);
    report.series(format!("repetition {rep}, rows of renewal, ten times"), "rows", renewals);
    claimers_stop.cancel();
    while let Some(done) = claimers.join_next().await {
        done??;
    }
    ticker.stop().await?;
    let starts = claimed.starts().into_iter().collect();
    describe(report, "jobs of slow transactions", &commits, &starts);
    describe(report, "jobs of short transactions", &others, &starts);
    Ok(())
}

async fn renewal(owner: &Session) -> anyhow::Result<f64> {
    let text = "select count(*)::float8 from fairclaim_internal.renewal";
    Ok(owner.query_typed_one(text, &[]).await?.get(0))
}

/// One transaction after the other, until told to stop; the last one commits early.
async fn transactions(
    session: Session,
    queue: String,
    sizes: Sizes,
    number: u64,
    stop: CancellationToken,
) -> anyhow::Result<Vec<Commit>> {
    let text = "select fairclaim.dispatch_job($1, $2, $3::text::jsonb, $4)";
    let dispatch = session.prepare(text).await?;
    let mut commits = Vec::new();
    for count in (number..).step_by(usize::try_from(sizes.connections)?) {
        session.batch_execute("begin").await?;
        let mut jobs = Vec::new();
        for job in count * sizes.each..(count + 1) * sizes.each {
            let (who, kind, at) =
                (tenant(TENANTS + 1 + job), type_name(job, sizes.types), own_micros());
            session.query_one(&dispatch, &[&who, &kind, &stamped(at), &queue]).await?;
            jobs.push(at);
        }
        // uneven, so that the connections do not fall into step
        let open = sizes.open * (0.5 + (count * 7_919 % 1_000) as f64 / 1e3);
        let pause = tokio::time::sleep(Duration::from_secs_f64(open));
        let stopped = stop.run_until_cancelled(pause).await.is_none();
        session.batch_execute("commit").await?;
        let at = micros();
        commits.extend(jobs.into_iter().map(|job| Commit { job, at }));
        if stopped {
            break;
        }
    }
    Ok(commits)
}

async fn claim_until(
    mut claimer: Claimer,
    claimed: Arc<Tally>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    while !stop.is_cancelled() {
        let (_, jobs) = claimer.turn().await?;
        for at in jobs.iter().filter_map(|job| began(&job.payload)) {
            claimed.waited_since(at);
            claimed.completed_some(0, 1);
        }
        if jobs.is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    claimer.settle().await?;
    Ok(())
}

/// How long jobs waited from the return of their commit to the return of their claim. One that was not
/// claimed has waited until now.
fn describe(report: &mut Report, what: &str, commits: &[Commit], starts: &HashMap<u64, u64>) {
    let now = micros();
    let wait = |commit: &Commit| {
        let until = starts.get(&commit.job).copied().unwrap_or(now);
        until.saturating_sub(commit.at) as f64 / 1e3
    };
    let claimed = commits.iter().filter(|commit| starts.contains_key(&commit.job)).count();
    report.add(format!("{what}: committed"), "jobs", commits.len() as f64);
    report.add(format!("{what}: claimed"), "jobs", claimed as f64);
    let waits = Samples::of(commits.iter().map(wait).collect());
    for (name, share) in [("p50", 0.5), ("p99", 0.99), ("longest", 1.0)] {
        report.add(format!("{what}: commit to claim, {name}"), "ms", waits.percentile(share));
    }
}
