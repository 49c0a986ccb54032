//! What tenants get, by seconds and by claims, with run times from 5 ms to 2 s.

use super::simulation::{Load, Simulation};
use crate::calls::tenant;

/// Run times from 5 ms to 2 s, in even ratios.
const SECONDS: [f64; 5] = [0.005, 0.022, 0.1, 0.45, 2.0];

fn loads(weights: [i32; 5]) -> Vec<Load> {
    let all = SECONDS.iter().zip(weights).zip(1..);
    all.map(|((&seconds, weight), n)| Load { tenant: tenant(n), weight, seconds }).collect()
}

/// As many jobs as take so long, and some.
#[allow(clippy::cast_possible_truncation, reason = "thousands")]
fn jobs_of(seconds: f64) -> impl Fn(&Load) -> i32 {
    move |load| (seconds * f64::from(load.weight) / load.seconds) as i32 + 2_000
}

/// The index after the run times have been learnt.
async fn jain(weights: [i32; 5], fair_by: &str, limit: i32, claimers: usize, rounds: f64) -> f64 {
    let total: f64 = weights.iter().map(|&weight| f64::from(weight)).sum();
    // a turn is worth 6 s to a tenant of weight 1
    let span = rounds * 6.0 * total;
    let mut simulation =
        Simulation::new(&loads(weights), jobs_of(7.0 * rounds + 60.0), claimers).await;
    simulation.fair_by(fair_by).await;
    while simulation.reports < 3 {
        simulation.run(limit, 10.0).await;
    }
    simulation.forget();
    simulation.run(limit, span).await;
    simulation.jain()
}

#[tokio::test(flavor = "multi_thread")]
async fn by_seconds_tenants_get_the_same_time_whatever_their_jobs_take() {
    for (limit, claimers, rounds) in [(1, 1, 2.0), (10, 4, 8.0)] {
        let index = jain([1; 5], "seconds", limit, claimers, rounds).await;
        assert!(index >= 0.95, "{claimers} with claims of {limit}: {index}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn by_seconds_tenants_get_time_by_their_weights() {
    for (limit, claimers, rounds) in [(1, 1, 2.0), (10, 2, 8.0), (100, 2, 10.0)] {
        let index = jain([1, 2, 1, 3, 5], "seconds", limit, claimers, rounds).await;
        assert!(index >= 0.95, "{claimers} with claims of {limit}: {index}");
    }
}

/// The control: without it the tenant of the longest jobs has nearly all the time.
#[tokio::test(flavor = "multi_thread")]
async fn by_claims_the_longest_jobs_have_nearly_all_the_time() {
    let index = jain([1; 5], "claims", 10, 1, 10.0).await;
    assert!(index < 0.5, "{index}");
}
