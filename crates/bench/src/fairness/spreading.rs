//! Tenants that spread their jobs to get more than their share, beside tenants that do not; against
//! the same number of tenants none of whom spreads.

use super::case::{Case, Group, Way};

const TYPES: u64 = 10;

pub(super) fn cases() -> Vec<Case> {
    let plain = Case::of("nobody spreads", vec![Group::backlog("in bulk", 0..10)]);
    let cheat = |name: &str, number: u64, way: Way| {
        let mut group = Group::backlog(name, number..number + 1);
        group.way = way;
        group
    };
    let groups = vec![
        Group::backlog("in bulk", 0..6),
        cheat("over 10 types", 6, Way::Types(TYPES)),
        cheat("over 5 priorities", 7, Way::Priorities),
        cheat("one by one", 8, Way::OneByOne),
        cheat("over all of these", 9, Way::Everything(TYPES)),
    ];
    vec![plain, Case::of("four spread", groups)]
}
