//! Many small tenants behind one that has dispatched a million jobs before them, and others that
//! send a job now and then; against the flood alone.

use super::FairnessFlags;
use super::case::{Arrivals, Case, Group, Waits};

pub(super) fn cases(flags: &FairnessFlags) -> Vec<Case> {
    let mut flood = Group::backlog("the flood", 0..1);
    flood.waits = Waits::Backlog(flags.flood);
    let small = Group::backlog("a small tenant", 1..flags.tenants + 1);
    let alone = Case::of("flood alone", vec![flood.clone()]);
    let mut beside = Case::of("flood beside small tenants", vec![flood, small]);
    beside.arrivals = Some(Arrivals { every: 200, tenants: 5, jobs: 1 });
    vec![alone, beside]
}
