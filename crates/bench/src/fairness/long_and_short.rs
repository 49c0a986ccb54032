//! Jobs of 2 s beside jobs of 5 ms. The run times are reckoned and not spent. A turn is a job, so
//! the index by claims is that of every other scenario and the index by seconds is low.

use super::case::{Case, Group};

pub(super) fn cases() -> Vec<Case> {
    let same = Case::of("all alike", vec![Group::backlog("a tenant", 0..10)]);
    let mut long = Group::backlog("jobs of 2 s", 0..5);
    long.seconds = 2.0;
    let mut short = Group::backlog("jobs of 5 ms", 5..10);
    short.seconds = 0.005;
    vec![same, Case::of("fair by claims", vec![long, short])]
}
