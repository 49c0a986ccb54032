//! `bench types`: what it costs a claim to name the types that it wants, beside one that takes all.

use std::time::Instant;

use anyhow::ensure;
use clap::Args;
use serde::Serialize;

use super::claimer::Claimer;
use super::load::{Batch, Kind, load_kind, tenant, type_name};
use super::options::Common;
use super::place::{Place, Site};
use super::report::Report;
use super::spread::{Samples, ratio};
use super::ticker::Ticker;
use super::{progress, surroundings};
use crate::value::within;

/// Claims of each claimer that plan its statements, and are not counted.
const WARM_UP: u64 = 3;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How many tenants, each with lanes of its own [default: 300]
    #[arg(long, value_name = "N", value_parser = within::<u64>(1..=100_000))]
    tenants: Option<u64>,
    /// How many types their jobs have in turn [default: 100]
    #[arg(long, value_name = "N", value_parser = within::<u64>(1..=1_000))]
    types: Option<u64>,
    /// How many types a claim names, those in use first [default: all in use]
    #[arg(long, value_name = "N", value_parser = within::<u64>(1..=1_000))]
    named: Option<u64>,
    /// Jobs of each tenant, in one dispatch [default: 100]
    #[arg(long, value_name = "N", value_parser = within::<usize>(9..=10_000))]
    each: Option<usize>,
    /// Jobs a claim takes; pairs for each
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [1, 10, 100], value_parser = within::<i32>(1..=1_000))]
    claims: Vec<i32>,
    /// Pairs of claims of each size [default: 30]
    #[arg(long, value_name = "N", value_parser = within::<u64>(1..=100_000))]
    pairs: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Sizes {
    tenants: u64,
    types: u64,
    named: u64,
    each: usize,
    claims: Vec<i32>,
    pairs: u64,
    reps: u32,
}

pub(crate) async fn run(
    place: &Place,
    common: &Common,
    options: &Options,
) -> anyhow::Result<Report> {
    let types = common.size(options.types, 100, 5);
    let sizes = Sizes {
        tenants: common.size(options.tenants, 300, 30),
        types,
        named: options.named.unwrap_or(types),
        each: common.size(options.each, 100, 40),
        claims: options.claims.clone(),
        pairs: common.size(options.pairs, 30, 2),
        reps: common.reps(3),
    };
    let taken: u64 = sizes.claims.iter().map(|&claim| u64::from(claim.unsigned_abs())).sum();
    let taken = taken * 2 * (sizes.pairs + WARM_UP);
    ensure!(
        taken <= sizes.tenants * sizes.each as u64,
        "the claims take up to {taken} jobs: give more --tenants or more jobs for --each"
    );
    let mut report = Report::new("types", &sizes, surroundings(place).await?)?;
    for rep in 1..=sizes.reps {
        progress(format!("types, repetition {rep} of {}", sizes.reps));
        let site = place.site().await?;
        let ticker = Ticker::start(&site).await?;
        let batches: Vec<Batch> =
            (1..=sizes.tenants).map(|who| vec![tenant(who); sizes.each]).collect();
        load_kind(&site, batches, 2, Kind { types: sizes.types, ..Kind::default() }).await?;
        for &claim in &sizes.claims {
            pairs(&site, &sizes, claim, &mut report).await?;
        }
        ticker.stop().await?;
        site.close().await?;
    }
    Ok(report)
}

/// One claimer with types and one without, in turn; which comes first alternates.
async fn pairs(site: &Site, sizes: &Sizes, claim: i32, report: &mut Report) -> anyhow::Result<()> {
    let names = (0..sizes.named).map(|number| {
        if number < sizes.types {
            type_name(number, sizes.types)
        } else {
            format!("unused-{number}")
        }
    });
    let mut claimers = [
        Claimer::open(site, format!("bench-all-{claim}"), claim).await?,
        Claimer::open(site, format!("bench-types-{claim}"), claim).await?.naming(names.collect()),
    ];
    let (mut took, mut jobs) = ([Vec::new(), Vec::new()], [0, 0]);
    for pair in 0..sizes.pairs + WARM_UP {
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
    let whole = sizes.pairs as f64;
    let names = ["naming none".to_owned(), format!("naming {} types", sizes.named)];
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
