//! `bench fairness`: who is served when, in scenarios that queues fail at; docs/reference/fairness.md
//! says what each of them does.

mod at_limit;
mod case;
mod come_and_go;
mod default_limits;
mod figures;
mod flood;
mod ground;
mod limits;
mod long_and_short;
mod picture;
mod rates;
mod run;
mod settings;
mod spreading;
mod tenants;
mod weights;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::flags::within;
use crate::progress::progress;
use crate::scenario::{Scenario, Stage};

use case::Case;
use ground::Ground;
use run::{Combination, Ran};

#[derive(Debug, Clone, Args, Serialize)]
pub(crate) struct FairnessFlags {
    /// Which scenarios, with commas between them; else all
    #[arg(long, value_enum, value_name = "NAME", value_delimiter = ',')]
    scenario: Vec<Name>,
    /// Jobs a claim takes; once for each
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [1, 10, 100], value_parser = within::<i32>(1..=1_000))]
    claims: Vec<i32>,
    /// Connections that claim at the same time; once for each
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [1, 8], value_parser = within::<usize>(1..=16))]
    claimers: Vec<usize>,
    /// The big tenant's jobs in `flood`
    #[arg(long, value_name = "N", default_value = "1000000", default_value_if("quick", "true", "2000"), value_parser = within::<u64>(1..=1_000_000_000))]
    flood: u64,
    /// How many tenants there are in the scenarios that are about many
    #[arg(long, value_name = "N", default_value = "1000", default_value_if("quick", "true", "30"), value_parser = within::<u64>(10..=100_000))]
    tenants: u64,
    /// Draws a picture of each scenario into this folder, as SVG
    #[arg(long, value_name = "DIR")]
    pictures: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Name {
    /// Small tenants behind one tenant's million, and others that send a job now and then
    Flood,
    /// Tenants of the weights 1 to 5
    Weights,
    /// Few tenants, many, and very many
    Tenants,
    /// Tenants that spread their jobs over types, priorities and single dispatches
    Spreading,
    /// A default limit on every tenant
    DefaultLimits,
    /// A limit of its own on every tenant
    Limits,
    /// All tenants at their limit but one
    AtLimit,
    /// Rates that leave room, and rates that do not
    Rates,
    /// Tenants that come with a few jobs, are served, and are gone
    ComeAndGo,
    /// Tenants whose jobs take long beside tenants whose jobs are short
    LongAndShort,
}

impl Name {
    fn text(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// What is measured. The first case is the one that the others are held against.
    fn cases(self, flags: &FairnessFlags, quick: bool) -> Vec<Case> {
        match self {
            Self::Flood => flood::cases(flags),
            Self::Weights => weights::cases(),
            Self::Tenants => tenants::cases(flags, quick),
            Self::Spreading => spreading::cases(),
            Self::DefaultLimits => default_limits::cases(flags),
            Self::Limits => limits::cases(flags),
            Self::AtLimit => at_limit::cases(flags),
            Self::Rates => rates::cases(),
            Self::ComeAndGo => come_and_go::cases(),
            Self::LongAndShort => long_and_short::cases(),
        }
    }
}

impl Scenario for FairnessFlags {
    const NAME: &'static str = "fairness";
    const REPS: u32 = 3;

    async fn run(&self, stage: &mut Stage<'_>) -> Result<()> {
        if let Some(folder) = &self.pictures {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        }
        let all = Name::value_variants().to_vec();
        let names = if self.scenario.is_empty() { all } else { self.scenario.clone() };
        while stage.repeats() {
            for &name in &names {
                self.once(name, stage).await?;
            }
        }
        Ok(())
    }
}

impl FairnessFlags {
    /// One repetition of one scenario: the cases stand side by side, each in a database of its own,
    /// and take turns for every size of a claim and number of claimers.
    async fn once(&self, name: Name, stage: &mut Stage<'_>) -> Result<()> {
        let mut grounds = Vec::new();
        for case in name.cases(self, stage.common.quick) {
            let site = stage.site(&format!("{}, {}", name.text(), case.name)).await?;
            grounds.push(Ground::prepare(site, case).await?);
        }
        let mut drawn = None;
        for combination in self.combinations() {
            let mut ran: Vec<Option<Ran>> = grounds.iter().map(|_| None).collect();
            for place in stage.in_turn(grounds.len()) {
                let ground = &mut grounds[place];
                progress(format!("{}, {}, {combination}", name.text(), ground.case.name));
                let jobs = ground.jobs_for(combination, stage.common.shrunk(1_000, 10));
                ran[place] = Some(ground.run(combination, jobs).await?);
            }
            let ran: Vec<Ran> = ran.into_iter().flatten().collect();
            let what = format!("{}, {combination}", name.text());
            figures::add(&mut stage.report, &what, &grounds, &ran);
            drawn = ran.into_iter().next_back();
        }
        if let (Some(folder), Some(ran), 1) = (&self.pictures, &drawn, stage.rep)
            && let Some(ground) = grounds.last()
        {
            let path = folder.join(format!("{}.svg", name.text()));
            std::fs::write(&path, picture::of(&name.text(), &ground.case, ran))
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        for ground in grounds {
            ground.close().await?;
        }
        Ok(())
    }

    fn combinations(&self) -> impl Iterator<Item = Combination> {
        self.claims.iter().flat_map(|&claim| {
            self.claimers.iter().map(move |&claimers| Combination { claim, claimers })
        })
    }
}
