//! `bench dispatch`: how fast jobs go in, beside a bare INSERT, and with a fleet that listens.

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use crate::flags::within;
use crate::load::Kind;
use crate::push::{BARE, DISPATCHED, Push, Way};
use crate::report::Report;
use crate::scenario::{Scenario, Stage};
use crate::target::Site;
use crate::wal::WalMark;
use crate::{classic, ticker, work};

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
        Push { way, connections, jobs, tenants, seconds, kind: Kind::default() }
    }
}

impl Scenario for DispatchFlags {
    const NAME: &'static str = "dispatch";
    const REPS: u32 = 5;

    async fn run(&self, stage: &mut Stage<'_>) -> Result<()> {
        while stage.repeats() {
            let site = stage.site("dispatch").await?;
            classic::make(&site).await?;
            stage.note_commit(&site).await?;
            let ticker = ticker::start(&site).await?;
            for size in [(1, 1), (self.connections, 1), (1, self.bulk)] {
                self.against_bare(&site, &mut stage.report, size).await?;
            }
            classic::remove(&site).await?;
            ticker.stop().await?;
            site.close().await?;
            self.listening(stage).await?;
        }
        Ok(())
    }
}

impl DispatchFlags {
    /// Both ways back to back; `size` is connections and jobs a call.
    async fn against_bare(
        &self,
        site: &Site,
        report: &mut Report,
        size: (usize, usize),
    ) -> Result<()> {
        let what = match size {
            (connections, 1) => format!("single, {connections} conn"),
            (connections, jobs) => format!("bulk of {jobs}, {connections} conn"),
        };
        let mut speeds = Vec::new();
        for way in [BARE, DISPATCHED] {
            let mark = WalMark::set(site).await?;
            let (jobs, speed) = self.push(way, size).run(site).await?;
            let name = format!("{what}: {}", way.name);
            report.add(&name, "jobs/s", speed);
            mark.since(site).await?.per_job(report, &name, jobs);
            speeds.push(speed);
        }
        report.ratio(format!("{what}: dispatch / bare INSERT"), speeds[1], speeds[0]);
        Ok(())
    }

    /// The same dispatching with and without idle workers that wait for a notification; which comes
    /// first alternates, because the second one finds fuller tables.
    async fn listening(&self, stage: &mut Stage<'_>) -> Result<()> {
        let mut speeds = [0.0; 2];
        let fleets = [self.fleet, 0];
        for place in stage.in_turn(2) {
            let site = stage.site("dispatch, listening").await?;
            let idle = work::idle(&site, fleets[place]).await?;
            let push = self.push(DISPATCHED, (self.connections, 1));
            Push { seconds: self.seconds / 4.0, ..push }.run(&site).await?;
            speeds[place] = push.run(&site).await?.1;
            idle.stop().await?;
            site.close().await?;
        }
        let ([fleet, none], what) = (speeds, format!("single, {} conn", self.connections));
        stage.report.add(format!("{what}, no worker listening"), "jobs/s", none);
        let name = format!("{what}, {} idle workers listening", self.fleet);
        stage.report.add(name, "jobs/s", fleet);
        stage.report.ratio("listening fleet / none", fleet, none);
        Ok(())
    }
}
