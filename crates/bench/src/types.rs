//! `bench types`: what it costs a claim to name the types that it wants, beside one that takes all.

use std::time::Instant;

use anyhow::{Result, ensure};
use clap::Args;
use serde::Serialize;

use crate::claimer::Claimer;
use crate::flags::{Common, within};
use crate::load::{Batch, Kind, load_kind, tenant, type_name};
use crate::progress::progress;
use crate::report::Report;
use crate::spread::{Samples, ratio};
use crate::target::{Site, Target};
use crate::ticker::Ticker;

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

pub(crate) async fn run(target: &Target, common: &Common, flags: &TypesFlags) -> Result<Report> {
    let taken: u64 = flags.claims.iter().map(|&claim| u64::from(claim.unsigned_abs())).sum();
    let taken = taken * 2 * (flags.pairs + WARM_UP);
    ensure!(
        taken <= flags.tenants * flags.each as u64,
        "the claims take up to {taken} jobs: give more --tenants or more jobs for --each"
    );
    let mut report = Report::begin(target, common, "types", flags, 3).await?;
    for rep in 1..=report.reps {
        progress(format!("types, repetition {rep} of {}", report.reps));
        let site = target.site().await?;
        let ticker = Ticker::start(&site).await?;
        let batches: Vec<Batch> =
            (1..=flags.tenants).map(|who| vec![tenant(who); flags.each]).collect();
        load_kind(&site, batches, 2, Kind { types: flags.types, ..Kind::default() }).await?;
        for &claim in &flags.claims {
            pairs(&site, flags, claim, &mut report).await?;
        }
        ticker.stop().await?;
        site.close().await?;
    }
    Ok(report)
}

/// One claimer with types and one without, in turn; which comes first alternates.
async fn pairs(site: &Site, flags: &TypesFlags, claim: i32, report: &mut Report) -> Result<()> {
    let named = flags.named.unwrap_or(flags.types);
    let names = (0..named).map(|number| {
        if number < flags.types {
            type_name(number, flags.types)
        } else {
            format!("unused-{number}")
        }
    });
    let mut claimers = [
        Claimer::open(site, format!("bench-all-{claim}"), claim).await?,
        Claimer::open(site, format!("bench-types-{claim}"), claim).await?.naming(names.collect()),
    ];
    let (mut took, mut jobs) = ([Vec::new(), Vec::new()], [0, 0]);
    for pair in 0..flags.pairs + WARM_UP {
        for turn in 0..2 {
            let which = usize::from((pair + turn) % 2 == 1);
            let claimer = &mut claimers[which];
            let start = Instant::now();
            let got = claimer.claim().await?.len();
            let cost = start.elapsed().as_secs_f64() * 1e3;
            ensure!(got > 0, "nothing was left for a claim of {claim}: give more jobs for --each");
            claimer.settle().await?;
            if pair >= WARM_UP {
                took[which].push(cost);
                jobs[which] += got;
            }
        }
    }
    let ratios: Vec<f64> = took[1].iter().zip(&took[0]).map(|(of, all)| ratio(*of, *all)).collect();
    let whole = flags.pairs as f64;
    let names = ["naming none".to_owned(), format!("naming {named} types")];
    for ((name, took), jobs) in names.iter().zip(took).zip(jobs) {
        let took = Samples::of(took);
        report.add(format!("claims of {claim}: {name}, p50"), "ms", took.percentile(0.5));
        report.add(format!("claims of {claim}: {name}, p99"), "ms", took.percentile(0.99));
        report.add(format!("claims of {claim}: {name}, jobs a claim"), "jobs", jobs as f64 / whole);
    }
    let name = format!("claims of {claim}: {} / {}, p50 of the pairs", names[1], names[0]);
    report.add(name, "ratio", Samples::of(ratios).percentile(0.5));
    Ok(())
}
