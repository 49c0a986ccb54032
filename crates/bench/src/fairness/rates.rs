//! Rates that leave room for everything, and rates of which nothing comes back during the run: then
//! a tenant gets exactly its burst, and the others all the rest. Against no rates.

use super::case::{Bound, Case, Group, Waits};

const BURST: i32 = 20;

pub(super) fn cases() -> Vec<Case> {
    let plain = Group::backlog("a tenant", 0..20);
    let mut roomy = plain.clone();
    roomy.bound = Some(Bound::Rate { units: 1_000_000, period: 1.0, burst: 1_000_000 });
    let free = Group::backlog("a tenant without a rate", 0..10);
    let mut scarce = Group::backlog("a tenant with a scarce rate", 10..20);
    scarce.waits = Waits::Once(200);
    scarce.bound = Some(Bound::Rate { units: 1, period: 86_400.0, burst: BURST });
    vec![
        Case::of("no rates", vec![plain]),
        Case::of("rates with room", vec![roomy]),
        Case::of("scarce rates", vec![free, scarce]),
    ]
}
