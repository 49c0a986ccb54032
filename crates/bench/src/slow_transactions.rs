//! `bench slow-transactions`: applications that dispatch early in a transaction of some seconds.
//! Their jobs become visible behind others that were dispatched later, and must not wait for long
//! then.

use std::time::Duration;

use anyhow::Result;
use clap::Args;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::crew::Crew;
use crate::flags::within;
use crate::load::{DISPATCH, tenant, type_name};
use crate::pacer::{Commit, Pace, Pacer, micros, own_micros, stamped};
use crate::scenario::{OnOneSite, Stage};
use crate::spread::{MAX, P50, P99};
use crate::staff::Staff;
use crate::target::{Session, Site};

/// Tenants of the other load; those of the slow transactions come after them.
const TENANTS: u64 = 100_000;
/// Jobs a claim takes at most.
const CLAIM: i32 = 100;

#[derive(Debug, Clone, Args, Serialize)]
pub(crate) struct SlowTransactionsFlags {
    /// Connections with a slow transaction after the other
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = within::<usize>(1..=40))]
    connections: usize,
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

impl OnOneSite for SlowTransactionsFlags {
    const NAME: &'static str = "slow-transactions";
    const REPS: u32 = 1;

    async fn once(&self, site: &Site, stage: &mut Stage<'_>) -> Result<()> {
        let (rep, report) = (stage.rep, &mut stage.report);
        // only the owner sees what waits for a new number
        let owner = site.owner().await?;
        let mut staff = Staff::of_connections(site, 2, CLAIM).await?;
        let sessions = site.sessions(self.connections).await?;
        let slow = Crew::start((0..).zip(sessions), |(number, session), stop| {
            self.clone().transactions(session, site.queue.clone(), number, stop)
        });
        let pace = Pace { types: self.types, ..Pace::new(site, TENANTS, self.rate, 4) };
        let pacer = Pacer::start(site, pace).await?;
        let mut renewals = Vec::new();
        for _ in 0..10 {
            tokio::time::sleep(Duration::from_secs_f64(self.seconds / 10.0)).await;
            renewals.push(renewal(&owner).await?);
        }
        let (others, commits) = tokio::try_join!(pacer.stop(), slow.stop())?;
        let (others, commits) = (others.commits, commits.concat());
        let all = (others.len() + commits.len()) as u64;
        staff.until(|tally| tally.completed() >= all, self.patience).await?;
        report.add("rows of renewal at the end of the load", "rows", renewals[renewals.len() - 1]);
        report.add("rows of renewal at the end", "rows", renewal(&owner).await?);
        report.series(format!("repetition {rep}, rows of renewal, ten times"), "rows", renewals);
        let claimed = staff.stop().await?;
        let both = [("jobs of slow transactions", commits), ("jobs of short transactions", others)];
        for (what, commits) in both {
            let (waits, started) = claimed.since_commit(&commits);
            report.add(format!("{what}: committed"), "jobs", commits.len() as f64);
            report.add(format!("{what}: claimed"), "jobs", started as f64);
            let longest = ("longest", MAX.1);
            report.times(&format!("{what}: commit to claim"), &waits, &[P50, P99, longest]);
        }
        Ok(())
    }
}

impl SlowTransactionsFlags {
    /// One transaction after the other, until told to stop; the last one commits early.
    async fn transactions(
        self,
        session: Session,
        queue: String,
        number: u64,
        stop: CancellationToken,
    ) -> Result<Vec<Commit>> {
        let dispatch = session.prepare(DISPATCH).await?;
        let mut commits = Vec::new();
        for count in (number..).step_by(self.connections) {
            session.batch_execute("begin").await?;
            let mut jobs = Vec::new();
            for job in count * self.each..(count + 1) * self.each {
                let (who, kind) = (tenant(TENANTS + 1 + job), type_name(job, self.types));
                let at = own_micros();
                session.query_one(&dispatch, &[&who, &kind, &stamped(at), &queue]).await?;
                jobs.push(at);
            }
            // uneven, so that the connections do not fall into step
            let open = self.open * (0.5 + (count * 7_919 % 1_000) as f64 / 1e3);
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
}

async fn renewal(owner: &Session) -> Result<f64> {
    let text = "select count(*)::float8 from fairclaim_internal.renewal";
    Ok(owner.query_typed_one(text, &[]).await?.get(0))
}
