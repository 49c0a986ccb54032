//! `bench dispatch`: how fast jobs go in, beside a bare INSERT, and with a fleet that listens.

use clap::Args;
use serde::Serialize;

use super::machine::commit_cost;
use super::options::Common;
use super::place::{Place, Session, Site};
use super::push::{Push, Way};
use super::report::Report;
use super::spread::ratio;
use super::ticker::Ticker;
use super::wal::WalMark;
use super::{classic, progress, surroundings, work};
use crate::value::within;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How long each measurement runs [default: 2]
    #[arg(long, value_name = "SECONDS", value_parser = within::<f64>(0.1..=86_400.0))]
    seconds: Option<f64>,
    /// How many tenants the jobs are dealt to [default: 500]
    #[arg(long, value_name = "N", value_parser = within::<u64>(1..=1_000_000))]
    tenants: Option<u64>,
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

#[derive(Debug, Serialize)]
struct Sizes {
    seconds: f64,
    tenants: u64,
    connections: usize,
    bulk: usize,
    fleet: usize,
    reps: u32,
}

impl Sizes {
    fn push(&self, way: Way, (connections, jobs): (usize, usize)) -> Push {
        let (seconds, tenants) = (self.seconds, self.tenants);
        Push { way, connections, jobs, tenants, seconds, bytes: None }
    }
}

pub(crate) async fn run(
    place: &Place,
    common: &Common,
    options: &Options,
) -> anyhow::Result<Report> {
    let sizes = Sizes {
        seconds: common.size(options.seconds, 2.0, 0.1),
        tenants: common.size(options.tenants, 500, 10),
        connections: options.connections,
        bulk: options.bulk,
        fleet: options.fleet,
        reps: common.reps(5),
    };
    let mut report = Report::new("dispatch", &sizes, surroundings(place).await?)?;
    for rep in 1..=sizes.reps {
        progress(format!("dispatch, repetition {rep} of {}", sizes.reps));
        let site = place.site().await?;
        let control = classic::make(&site).await?;
        report.commit_took(commit_cost(&control, common.commits()).await?);
        let ticker = Ticker::start(&site).await?;
        let (few, many) = (1, sizes.connections);
        against_bare(&site, &control, &sizes, &mut report, (few, 1)).await?;
        against_bare(&site, &control, &sizes, &mut report, (many, 1)).await?;
        against_bare(&site, &control, &sizes, &mut report, (few, sizes.bulk)).await?;
        classic::remove(&control).await?;
        ticker.stop().await?;
        site.close().await?;
        listening(place, &sizes, &mut report, rep).await?;
    }
    Ok(report)
}

/// Both ways back to back; `size` is connections and jobs a call.
async fn against_bare(
    site: &Site,
    control: &Session,
    sizes: &Sizes,
    report: &mut Report,
    size: (usize, usize),
) -> anyhow::Result<()> {
    let what = match size {
        (connections, 1) => format!("single, {connections} conn"),
        (connections, jobs) => format!("bulk of {jobs}, {connections} conn"),
    };
    let mut speeds = Vec::new();
    for way in [Way::Bare, Way::Dispatch] {
        let mark = WalMark::set(control).await?;
        let (jobs, speed) = sizes.push(way, size).run(site).await?;
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
    place: &Place,
    sizes: &Sizes,
    report: &mut Report,
    rep: u32,
) -> anyhow::Result<()> {
    let mut speeds = [0.0; 2];
    for turn in 0..2 {
        let fleet = (turn + rep) % 2 == 1;
        let site = place.site().await?;
        let mut idle = None;
        if fleet {
            idle = Some(work::Idle::start(&site, sizes.fleet).await?);
        }
        let size = (sizes.connections, 1);
        let push = sizes.push(Way::Dispatch, size);
        Push { seconds: sizes.seconds / 4.0, ..push }.run(&site).await?;
        speeds[usize::from(fleet)] = push.run(&site).await?.1;
        if let Some(idle) = idle {
            idle.stop().await?;
        }
        site.close().await?;
    }
    let name = format!("single, {} conn, nobody listening", sizes.connections);
    report.add(name, "jobs/s", speeds[0]);
    let name =
        format!("single, {} conn, {} idle workers listening", sizes.connections, sizes.fleet);
    report.add(name, "jobs/s", speeds[1]);
    report.add("listening fleet / none", "ratio", ratio(speeds[1], speeds[0]));
    Ok(())
}
