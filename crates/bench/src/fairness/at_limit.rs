//! All tenants but one have as many jobs running as they may; against that one alone. Whoever claims
//! gets a full claim of its jobs every time.

use super::FairnessFlags;
use super::case::{Bound, Case, Group, Waits};

pub(super) fn cases(flags: &FairnessFlags) -> Vec<Case> {
    let free = Group::backlog("the tenant that may go on", 0..1);
    let mut full = Group::backlog("a tenant at its limit", 1..flags.tenants + 1);
    full.waits = Waits::Once(20);
    full.bound = Some(Bound::HeldAtOne);
    let alone = Case::of("one tenant alone", vec![free.clone()]);
    vec![alone, Case::of("beside tenants at their limits", vec![full, free])]
}
