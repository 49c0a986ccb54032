//! What all scenarios have in common: repetitions, each on a new site, and a report.

use std::pin::Pin;

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use crate::flags::{Common, Run};
use crate::machine::commit_cost;
use crate::progress::progress;
use crate::report::Report;
use crate::target::{Site, Target};

/// A scenario by its own flags.
pub(crate) trait Scenario: Args + Serialize {
    const NAME: &'static str;
    /// How often it is repeated, unless another number is asked for.
    const REPS: u32;

    /// Measures while the stage has another repetition.
    async fn run(&self, stage: &mut Stage<'_>) -> Result<()>;
}

/// A scenario that measures all of a repetition on one site.
pub(crate) trait OnOneSite: Args + Serialize {
    const NAME: &'static str;
    const REPS: u32;

    async fn once(&self, site: &Site, stage: &mut Stage<'_>) -> Result<()>;
}

impl<Flags: OnOneSite> Scenario for Flags {
    const NAME: &'static str = <Flags as OnOneSite>::NAME;
    const REPS: u32 = <Flags as OnOneSite>::REPS;

    async fn run(&self, stage: &mut Stage<'_>) -> Result<()> {
        while stage.repeats() {
            let site = stage.site(<Flags as OnOneSite>::NAME).await?;
            self.once(&site, stage).await?;
            site.close().await?;
        }
        Ok(())
    }
}

/// Where a scenario runs, and what it has found so far.
pub(crate) struct Stage<'a> {
    pub(crate) target: &'a Target,
    pub(crate) common: &'a Common,
    pub(crate) report: Report,
    /// The number of the repetition, from 1.
    pub(crate) rep: u32,
    pub(crate) reps: u32,
}

impl Stage<'_> {
    /// Begins the next repetition, if there is one more.
    pub(crate) fn repeats(&mut self) -> bool {
        self.rep += 1;
        self.rep <= self.reps
    }

    /// A new site for what is measured next in this repetition.
    pub(crate) async fn site(&self, what: &str) -> Result<Site> {
        progress(format!("{what}, repetition {} of {}", self.rep, self.reps));
        self.target.site().await
    }

    /// Notes how long a commit takes now, and answers it in milliseconds: it drifts, and explains
    /// differences between repetitions.
    pub(crate) async fn note_commit(&mut self, site: &Site) -> Result<f64> {
        let took = commit_cost(&site.control, self.common.shrunk(200, 5)).await?;
        self.report.add("fsync, p50 of a tiny commit less a round trip", "ms", took);
        Ok(took)
    }

    /// The places of so many variants; which comes first changes with the repetition.
    pub(crate) fn in_turn(&self, variants: usize) -> impl Iterator<Item = usize> + use<> {
        let first = self.rep as usize - 1;
        (0..variants).map(move |place| (first + place) % variants)
    }
}

/// A scenario of whichever flags.
pub(crate) trait Measure {
    fn common(&self) -> &Common;

    fn measure<'a>(&'a self, target: &'a Target) -> Measuring<'a>;
}

pub(crate) type Measuring<'a> = Pin<Box<dyn Future<Output = Result<Report>> + 'a>>;

impl<Flags: Scenario> Measure for Run<Flags> {
    fn common(&self) -> &Common {
        &self.common
    }

    fn measure<'a>(&'a self, target: &'a Target) -> Measuring<'a> {
        Box::pin(async move {
            let (flags, common) = (&self.flags, &self.common);
            let reps = common.reps.unwrap_or(common.shrunk(Flags::REPS, 1));
            let report = Report::begin(target, Flags::NAME, flags, reps).await?;
            let mut stage = Stage { target, common, report, rep: 0, reps };
            flags.run(&mut stage).await?;
            Ok(stage.report)
        })
    }
}
