//! `bench slow-transactions`: applications that dispatch early in a transaction of some seconds.
//! Their jobs become visible behind others that were dispatched later, and must not wait for long
//! then.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::claimer::Claimer;
use crate::flags::{Common, within};
use crate::load::{tenant, type_name};
use crate::pacer::{Commit, Pace, Pacer, began, micros, own_micros, stamped};
use crate::progress::progress;
use crate::report::Report;
use crate::spread::Samples;
use crate::tally::Tally;
use crate::target::{Session, Site, Target};
use crate::ticker::Ticker;

/// Tenants of the other load; those of the slow transactions come after them.
const TENANTS: u64 = 100_000;
/// Jobs a claim takes at most.
const CLAIM: i32 = 100;

#[derive(Debug, Clone, Args, Serialize)]
pub(crate) struct SlowTransactionsFlags {
    /// Connections with a slow transaction after the other
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = within::<u64>(1..=40))]
    connections: u64,
    /// How long a transaction stays open in the middle, half as much to half as much again
    #[arg(long, value_name = "SECONDS", default_value = "5", default_value_if("quick", "true", "0.2"), value_parser = within::<f64>(0.01..=3_600.0))]
    open: f64,
    /// Jobs that each of them dispatches when it begins
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = within::<u64>(1..=1_000))]
    each: u64,
    /// How many types the jobs have in turn
    #[arg(long, value_name = "N", default_value = "100", default_value_if("quick", "true", "10"), value_parser = within::<u64>(1..=1_000))]
    types: u64,
    /// Jobs a second of other, short transactions, of the same types
    #[arg(long, value_name = "N", default_value_t = 500.0, value_parser = within::<f64>(0.1..=100_000.0))]
    rate: f64,
    /// How long all this goes on
    #[arg(long, value_name = "SECONDS", default_value = "60", default_value_if("quick", "true", "1"), value_parser = within::<f64>(0.1..=86_400.0))]
    seconds: f64,
    /// How long jobs are waited for in the end
    #[arg(long, value_name = "SECONDS", default_value_t = 30.0, value_parser = within::<f64>(0.1..=86_400.0))]
    patience: f64,
}

pub(crate) async fn run(
    target: &Target,
    common: &Common,
    flags: &SlowTransactionsFlags,
) -> Result<Report> {
    let mut report = Report::begin(target, common, "slow-transactions", flags, 1).await?;
    for rep in 1..=report.reps {
        progress(format!("slow-transactions, repetition {rep} of {}", report.reps));
        let site = target.site().await?;
        once(&site, flags, &mut report, rep).await?;
        site.close().await?;
    }
    Ok(report)
}

async fn once(
    site: &Site,
    flags: &SlowTransactionsFlags,
    report: &mut Report,
    rep: u32,
) -> Result<()> {
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
    for number in 0..flags.connections {
        let session = site.session().await?;
        let (queue, flags) = (site.queue.clone(), flags.clone());
        slow.spawn(transactions(session, queue, flags, number, stop.clone()));
    }
    let pace = Pace {
        queue: site.queue.clone(),
        first_tenant: 1,
        tenants: TENANTS,
        types: flags.types,
        rate: flags.rate,
        connections: 4,
    };
    let pacer = Pacer::start(site, &pace).await?;
    let mut renewals = Vec::new();
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_secs_f64(flags.seconds / 10.0)).await;
        renewals.push(renewal(&owner).await?);
    }
    stop.cancel();
    let others = pacer.stop().await?.commits;
    let mut commits = Vec::new();
    while let Some(done) = slow.join_next().await {
        commits.extend(done??);
    }
    let (all, end) = ((others.len() + commits.len()) as u64, Instant::now());
    while claimed.completed() < all && end.elapsed().as_secs_f64() < flags.patience {
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

async fn renewal(owner: &Session) -> Result<f64> {
    let text = "select count(*)::float8 from fairclaim_internal.renewal";
    Ok(owner.query_typed_one(text, &[]).await?.get(0))
}

/// One transaction after the other, until told to stop; the last one commits early.
async fn transactions(
    session: Session,
    queue: String,
    flags: SlowTransactionsFlags,
    number: u64,
    stop: CancellationToken,
) -> Result<Vec<Commit>> {
    let text = "select fairclaim.dispatch_job($1, $2, $3::text::jsonb, $4)";
    let dispatch = session.prepare(text).await?;
    let mut commits = Vec::new();
    for count in (number..).step_by(usize::try_from(flags.connections)?) {
        session.batch_execute("begin").await?;
        let mut jobs = Vec::new();
        for job in count * flags.each..(count + 1) * flags.each {
            let (who, kind, at) =
                (tenant(TENANTS + 1 + job), type_name(job, flags.types), own_micros());
            session.query_one(&dispatch, &[&who, &kind, &stamped(at), &queue]).await?;
            jobs.push(at);
        }
        // uneven, so that the connections do not fall into step
        let open = flags.open * (0.5 + (count * 7_919 % 1_000) as f64 / 1e3);
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
) -> Result<()> {
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

/// How long jobs waited from the return of their commit to the return of their claim. One that was
/// not claimed has waited until now.
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
