//! `bench dispatch`: how fast jobs go in, beside a bare INSERT, and with a fleet that listens.

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use crate::flags::{Common, within};
use crate::machine::commit_cost;
use crate::progress::progress;
use crate::push::{Push, Way};
use crate::report::Report;
use crate::spread::ratio;
use crate::target::{Session, Site, Target};
use crate::ticker::Ticker;
use crate::wal::WalMark;
use crate::{classic, work};

#[derive(Debug, Clone, Args, Serialize)]
pub(crate) struct DispatchFlags {
    /// How long each measurement runs
    #[arg(long, value_name = "SECONDS", default_value = "2", default_value_if("quick", "true", "0.1"), value_parser = within::<f64>(0.1..=86_400.0))]
    seconds: f64,
    /// How many tenants the jobs are dealt to
    #[arg(long, value_name = "N", default_value = "500", default_value_if("quick", "true", "10"), value_parser = within::<u64>(1..=1_000_000))]
    tenants: u64,
    /// Connections of the parallel measurements
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = within::<usize>(1..=64))]
    connections: usize,
    /// Jobs of a bulk dispatch
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = within::<usize>(1..=10_000))]
    bulk: usize,
    /// Idle workers that listen in the last comparison
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = within::<usize>(1..=64))]
    fleet: usize,
}

impl DispatchFlags {
    fn push(&self, way: Way, (connections, jobs): (usize, usize)) -> Push {
        let (seconds, tenants) = (self.seconds, self.tenants);
        Push { way, connections, jobs, tenants, seconds, bytes: None }
    }
}

pub(crate) async fn run(target: &Target, common: &Common, flags: &DispatchFlags) -> Result<Report> {
    let mut report = Report::begin(target, common, "dispatch", flags, 5).await?;
    for rep in 1..=report.reps {
        progress(format!("dispatch, repetition {rep} of {}", report.reps));
        let site = target.site().await?;
        let control = classic::make(&site).await?;
        report.commit_took(commit_cost(&control, common.commits()).await?);
        let ticker = Ticker::start(&site).await?;
        let (few, many) = (1, flags.connections);
        against_bare(&site, &control, flags, &mut report, (few, 1)).await?;
        against_bare(&site, &control, flags, &mut report, (many, 1)).await?;
        against_bare(&site, &control, flags, &mut report, (few, flags.bulk)).await?;
        classic::remove(&control).await?;
        ticker.stop().await?;
        site.close().await?;
        listening(target, flags, &mut report, rep).await?;
    }
    Ok(report)
}

/// Both ways back to back; `size` is connections and jobs a call.
async fn against_bare(
    site: &Site,
    control: &Session,
    flags: &DispatchFlags,
    report: &mut Report,
    size: (usize, usize),
) -> Result<()> {
    let what = match size {
        (connections, 1) => format!("single, {connections} conn"),
        (connections, jobs) => format!("bulk of {jobs}, {connections} conn"),
    };
    let mut speeds = Vec::new();
    for way in [Way::Bare, Way::Dispatch] {
        let mark = WalMark::set(control).await?;
        let (jobs, speed) = flags.push(way, size).run(site).await?;
        let written = mark.since(control).await?;
        let name = format!("{what}: {}", way.name());
        report.add(&name, "jobs/s", speed);
        written.per_job(report, &name, jobs);
        speeds.push(speed);
    }
    report.add(format!("{what}: dispatch / bare INSERT"), "ratio", ratio(speeds[1], speeds[0]));
    Ok(())
}

/// The same dispatching with and without idle workers that wait for a notification; which comes
/// first alternates, because the second one finds fuller tables.
async fn listening(
    target: &Target,
    flags: &DispatchFlags,
    report: &mut Report,
    rep: u32,
) -> Result<()> {
    let mut speeds = [0.0; 2];
    for turn in 0..2 {
        let fleet = (turn + rep) % 2 == 1;
        let site = target.site().await?;
        let mut idle = None;
        if fleet {
            idle = Some(work::Idle::start(&site, flags.fleet).await?);
        }
        let size = (flags.connections, 1);
        let push = flags.push(Way::Dispatch, size);
        Push { seconds: flags.seconds / 4.0, ..push }.run(&site).await?;
        speeds[usize::from(fleet)] = push.run(&site).await?.1;
        if let Some(idle) = idle {
            idle.stop().await?;
        }
        site.close().await?;
    }
    let name = format!("single, {} conn, no worker listening", flags.connections);
    report.add(name, "jobs/s", speeds[0]);
    let name =
        format!("single, {} conn, {} idle workers listening", flags.connections, flags.fleet);
    report.add(name, "jobs/s", speeds[1]);
    report.add("listening fleet / none", "ratio", ratio(speeds[1], speeds[0]));
    Ok(())
}
