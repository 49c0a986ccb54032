//! `bench payloads`: what a dispatch costs by the size of its payload.

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use crate::counters::Counters;
use crate::flags::within;
use crate::load::Kind;
use crate::push::{DISPATCHED, Push};
use crate::report::Report;
use crate::scenario::{OnOneSite, Stage};
use crate::spread::ratio;
use crate::target::Site;
use crate::ticker;
use crate::wal::WalMark;

#[derive(Debug, Clone, Args, Serialize)]
pub(crate) struct PayloadsFlags {
    /// Bytes of a payload; each size is measured, the first is what the others are held against
    #[arg(long, value_name = "BYTES", value_delimiter = ',', default_values_t = [200, 1_000, 2_000, 4_000], value_parser = within::<usize>(60..=1_000_000))]
    bytes: Vec<usize>,
    /// How long each measurement runs
    #[arg(long, value_name = "SECONDS", default_value = "2", default_value_if("quick", "true", "0.1"), value_parser = within::<f64>(0.1..=86_400.0))]
    seconds: f64,
    /// How many tenants the jobs are dealt to
    #[arg(long, value_name = "N", default_value = "500", default_value_if("quick", "true", "10"), value_parser = within::<u64>(1..=1_000_000))]
    tenants: u64,
    /// Jobs of a bulk dispatch
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = within::<usize>(2..=10_000))]
    bulk: usize,
}

impl OnOneSite for PayloadsFlags {
    const NAME: &'static str = "payloads";
    const REPS: u32 = 3;

    async fn once(&self, site: &Site, stage: &mut Stage<'_>) -> Result<()> {
        stage.note_commit(site).await?;
        let ticker = ticker::start(site).await?;
        for jobs in [1, self.bulk] {
            let mut speeds = vec![0.0; self.bytes.len()];
            // the tables grow, so the sizes take turns at being first
            for place in stage.in_turn(self.bytes.len()) {
                let bytes = self.bytes[place];
                speeds[place] = self.of_size(site, jobs, bytes, &mut stage.report).await?;
            }
            for (&bytes, &speed) in self.bytes.iter().zip(&speeds).skip(1) {
                let (this, first) = (name(jobs, bytes), self.bytes[0]);
                let name = format!("{this} / {first} B, jobs a second");
                stage.report.ratio(name, speed, speeds[0]);
            }
        }
        ticker.stop().await?;
        Ok(())
    }
}

fn name(jobs: usize, bytes: usize) -> String {
    if jobs == 1 { format!("single, {bytes} B") } else { format!("bulk of {jobs}, {bytes} B") }
}

impl PayloadsFlags {
    /// Answers jobs a second.
    async fn of_size(
        &self,
        site: &Site,
        jobs: usize,
        bytes: usize,
        report: &mut Report,
    ) -> Result<f64> {
        let name = name(jobs, bytes);
        let (tenants, seconds) = (self.tenants, self.seconds);
        let kind = Kind { bytes: Some(bytes), ..Kind::default() };
        let push = Push { way: DISPATCHED, connections: 1, jobs, tenants, seconds, kind };
        let (mark, before) = (WalMark::set(site).await?, Counters::read(site).await?);
        let (jobs, speed) = push.run(site).await?;
        let after = Counters::read(site).await?;
        report.add(&name, "jobs/s", speed);
        if let Some(cpu) = after.cpu_since(&before) {
            report.add(format!("{name}: server CPU a job"), "µs", ratio(cpu * 1e6, jobs as f64));
        }
        mark.since(site).await?.per_job(report, &name, jobs);
        Ok(speed)
    }
}
