//! `bench types`: what it costs a claim to name the types that it wants, beside one that takes all.

use std::time::Instant;

use anyhow::{Result, ensure};
use clap::Args;
use serde::Serialize;

use crate::claimer::Claimer;
use crate::flags::within;
use crate::load::{Kind, load, one_each, type_name};
use crate::report::Report;
use crate::scenario::{OnOneSite, Stage};
use crate::spread::{P50, P99, Samples, ratio};
use crate::target::Site;
use crate::ticker;

/// Claims of each claimer that plan its statements, and are not counted.
const WARM_UP: u64 = 3;

#[derive(Debug, Clone, Args, Serialize)]
pub(crate) struct TypesFlags {
    /// How many tenants, each with lanes of its own
    #[arg(long, value_name = "N", default_value = "300", default_value_if("quick", "true", "30"), value_parser = within::<u64>(1..=100_000))]
    tenants: u64,
    /// How many types their jobs have in turn
    #[arg(long, value_name = "N", default_value = "100", default_value_if("quick", "true", "5"), value_parser = within::<u64>(1..=1_000))]
    types: u64,
    /// How many types a claim names, those in use first [default: all in use]
    #[arg(long, value_name = "N", value_parser = within::<u64>(1..=1_000))]
    named: Option<u64>,
    /// Jobs of each tenant, in one dispatch
    #[arg(long, value_name = "N", default_value = "100", default_value_if("quick", "true", "40"), value_parser = within::<usize>(9..=10_000))]
    each: usize,
    /// Jobs a claim takes; pairs for each
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [1, 10, 100], value_parser = within::<i32>(1..=1_000))]
    claims: Vec<i32>,
    /// Pairs of claims of each size
    #[arg(long, value_name = "N", default_value = "30", default_value_if("quick", "true", "2"), value_parser = within::<u64>(1..=100_000))]
    pairs: u64,
}

impl OnOneSite for TypesFlags {
    const NAME: &'static str = "types";
    const REPS: u32 = 3;

    async fn once(&self, site: &Site, stage: &mut Stage<'_>) -> Result<()> {
        let taken: u64 = self.claims.iter().map(|&claim| u64::from(claim.unsigned_abs())).sum();
        let taken = taken * 2 * (self.pairs + WARM_UP);
        ensure!(
            taken <= self.tenants * self.each as u64,
            "the claims take up to {taken} jobs: give more --tenants or more jobs for --each"
        );
        let ticker = ticker::start(site).await?;
        let kind = Kind { types: self.types, ..Kind::default() };
        load(site, one_each(self.tenants, self.each), kind).await?;
        for &claim in &self.claims {
            self.pairs_of(site, claim, &mut stage.report).await?;
        }
        ticker.stop().await?;
        Ok(())
    }
}

impl TypesFlags {
    /// One claimer with types and one without, in turn; which comes first alternates.
    async fn pairs_of(&self, site: &Site, claim: i32, report: &mut Report) -> Result<()> {
        let named = self.named.unwrap_or(self.types);
        let unused = (self.types..named).map(|number| format!("unused-{number}"));
        let used = (0..named.min(self.types)).map(|number| type_name(number, self.types));
        let types = used.chain(unused).collect();
        let mut claimers = [
            Claimer::open(site, format!("bench-all-{claim}"), claim).await?,
            Claimer::open(site, format!("bench-types-{claim}"), claim).await?.naming(types),
        ];
        let (mut took, mut jobs) = ([Vec::new(), Vec::new()], [0, 0]);
        for pair in 0..self.pairs + WARM_UP {
            for turn in 0..2 {
                let which = usize::from((pair + turn) % 2 == 1);
                let claimer = &mut claimers[which];
                let start = Instant::now();
                let got = claimer.claim().await?.len();
                let cost = start.elapsed().as_secs_f64() * 1e3;
                ensure!(
                    got > 0,
                    "nothing was left for a claim of {claim}: give more jobs for --each"
                );
                claimer.settle().await?;
                if pair >= WARM_UP {
                    took[which].push(cost);
                    jobs[which] += got;
                }
            }
        }
        let pairs = took[1].iter().zip(&took[0]);
        let ratios = Samples::of(pairs.map(|(of, all)| ratio(*of, *all)).collect());
        let names = ["naming none".to_owned(), format!("naming {named} types")];
        for ((name, took), jobs) in names.iter().zip(took).zip(jobs) {
            let name = format!("claims of {claim}: {name}");
            report.times(&name, &Samples::of(took), &[P50, P99]);
            report.add(format!("{name}, jobs a claim"), "jobs", jobs as f64 / self.pairs as f64);
        }
        let name = format!("claims of {claim}: {} / {}, p50 of the pairs", names[1], names[0]);
        report.add(name, "ratio", ratios.percentile(0.5));
        Ok(())
    }
}
