//! What is reckoned from a run: claims until served, Jain's index, work conservation, and cost.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use crate::load::tenant;
use crate::report::Report;
use crate::spread::{MAX, P50, P99, Samples, ratio};

use super::case::{Bound, Case, Group, Way};
use super::ground::Ground;
use super::run::Ran;

/// Adds the figures of one combination. The first case is what the others are held against.
pub(super) fn add(report: &mut Report, what: &str, grounds: &[Ground], ran: &[Ran]) {
    let Some(base) = ran.first() else { return };
    for (number, (ground, ran)) in grounds.iter().zip(ran).enumerate() {
        let what = format!("{what}: {}", ground.case.name);
        fairness(report, &what, ground, ran);
        conservation(report, &what, &ground.case, ran);
        let took = Samples::of(ran.took.clone());
        report.times(&format!("{what}: one claim"), &took, &[P50, P99]);
        report.add(format!("{what}: claimed and settled"), "jobs/s", speed(ran));
        if number > 0 {
            let first = &grounds[0].case.name;
            report.ratio(format!("{what}: jobs/s / {first}"), speed(ran), speed(base));
            let cost = Samples::of(base.took.clone()).percentile(0.5);
            let name = format!("{what}: p50 of a claim / {first}");
            report.ratio(name, took.percentile(0.5), cost);
        }
    }
}

fn speed(ran: &Ran) -> f64 {
    ratio(ran.served.len() as f64, ran.seconds)
}

fn fairness(report: &mut Report, what: &str, ground: &Ground, ran: &Ran) {
    let (case, counts) = (&ground.case, counts(&ran.served));
    let tenants: Vec<Uuid> =
        case.backlogged().flat_map(|group| group.tenants.clone().map(tenant)).collect();
    let until = until_all_served(&ran.served, &tenants);
    let all = tenants.len();
    if let Some(until) = until.filter(|_| all > 1) {
        let name = format!("{what}: claimed until all {all} tenants were served");
        report.add(name, "jobs", until as f64);
    }
    if ground.has_rounds(ran) {
        let name = format!("{what}: Jain's index of claims / weight");
        report.add(name, "index", index_by(case, &counts, |_| 1.0));
        if case.groups.iter().any(|group| (group.seconds - case.groups[0].seconds).abs() > 0.0) {
            let name = format!("{what}: Jain's index of seconds / weight");
            report.add(name, "index", index_by(case, &counts, |group| group.seconds));
        }
        for group in case.backlogged().filter(|group| group.way != Way::Bulk) {
            let share = mean_count(group, &counts);
            let plain = case.backlogged().find(|group| group.way == Way::Bulk);
            let fair = plain.map_or(share, |group| mean_count(group, &counts));
            let name = format!("{what}: {}, claims over those of one in bulk", group.name);
            report.ratio(name, share, fair);
        }
    }
    for group in &case.groups {
        if let Some(Bound::Rate { burst, .. }) = group.bound
            && case.backlogged().all(|other| other.name != group.name)
        {
            let name =
                format!("{what}: {}, most claims of one until now over its burst", group.name);
            report.ratio(name, ground.most_claimed(group) as f64, f64::from(burst));
        }
    }
    if !ran.arrivals.is_empty() {
        let waits = newcomers_waits(ran);
        report.add(format!("{what}: newcomers"), "tenants", ran.arrivals.len() as f64);
        let served = waits.len() as f64;
        report.add(format!("{what}: newcomers served in the run"), "tenants", served);
        for (name, value) in [P50, MAX] {
            let name = format!("{what}: claimed until a newcomer was served, {name}");
            report.add(name, "jobs", value(&waits));
        }
    }
}

/// Without bounds every empty claim counts. With them a claim may hold what another one wants: then
/// those count that had no other claim beside them.
fn conservation(report: &mut Report, what: &str, case: &Case, ran: &Ran) {
    let excused = if case.is_bounded() { ran.beside } else { 0 };
    let name = format!("{what}: empty claims while something may be claimed");
    report.add(name, "claims", (ran.empty + ran.beside - excused) as f64);
    if case.is_bounded() {
        let name = format!("{what}: empty claims beside one that holds the limits");
        report.add(name, "claims", excused as f64);
        let name = format!("{what}: most jobs of one tenant at once");
        report.add(name, "jobs", ran.most_at_once as f64);
    }
}

fn counts(served: &[Uuid]) -> HashMap<Uuid, u64> {
    let mut counts = HashMap::new();
    for who in served {
        *counts.entry(*who).or_default() += 1;
    }
    counts
}

fn mean_count(group: &Group, counts: &HashMap<Uuid, u64>) -> f64 {
    let of = |who| counts.get(&tenant(who)).copied().unwrap_or(0);
    ratio(group.tenants.clone().map(of).sum::<u64>() as f64, group.size() as f64)
}

fn index_by(case: &Case, counts: &HashMap<Uuid, u64>, each: impl Fn(&Group) -> f64) -> f64 {
    let shares = case.backlogged().flat_map(|group| {
        let unit = each(group) / f64::from(group.weight);
        let of = |who| counts.get(&tenant(who)).copied().unwrap_or(0);
        group.tenants.clone().map(move |who| of(who) as f64 * unit)
    });
    index(&shares.collect::<Vec<_>>())
}

/// Jain's index: the square of the sum over the number times the sum of the squares. 1 when all are
/// equal, 1 / n when one has everything.
fn index(shares: &[f64]) -> f64 {
    let sum: f64 = shares.iter().sum();
    let squares: f64 = shares.iter().map(|share| share * share).sum();
    ratio(sum * sum, shares.len() as f64 * squares)
}

/// How many jobs were claimed when the last of these tenants was first served.
fn until_all_served(served: &[Uuid], tenants: &[Uuid]) -> Option<usize> {
    let mut missing: HashSet<&Uuid> = tenants.iter().collect();
    let last = served.iter().position(|who| missing.remove(who) && missing.is_empty());
    last.map(|place| place + 1)
}

/// How many jobs were claimed from a newcomer's dispatch to its first one.
fn newcomers_waits(ran: &Ran) -> Samples {
    let mut first = HashMap::new();
    for (place, who) in ran.served.iter().enumerate() {
        first.entry(who).or_insert(place);
    }
    let wait = |(who, came): &(Uuid, usize)| Some((first.get(who)? + 1 - came) as f64);
    Samples::of(ran.arrivals.iter().filter_map(wait).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_is_one_for_equals_and_one_over_n_for_one_that_has_all() {
        assert!((index(&[3.0, 3.0, 3.0]) - 1.0).abs() < 1e-12);
        assert!((index(&[5.0, 0.0, 0.0, 0.0]) - 0.25).abs() < 1e-12);
        assert!((index(&[1.0, 2.0, 3.0]) - 36.0 / 42.0).abs() < 1e-12);
        assert!(index(&[]).abs() < 1e-12);
    }

    #[test]
    fn weights_divide_what_tenants_got() {
        let mut heavy = Group::backlog("heavy", 0..1);
        heavy.weight = 4;
        let case = Case::of("weights", vec![heavy, Group::backlog("plain", 1..2)]);
        let served = [[tenant(0); 4].as_slice(), &[tenant(1)]].concat();
        assert!((index_by(&case, &counts(&served), |_| 1.0) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn all_are_served_when_the_last_of_them_is() {
        let served = [1, 2, 1, 3, 2].map(tenant);
        assert_eq!(until_all_served(&served, &[1, 2, 3].map(tenant)), Some(4));
        assert_eq!(until_all_served(&served, &[1, 4].map(tenant)), None);
    }
}
