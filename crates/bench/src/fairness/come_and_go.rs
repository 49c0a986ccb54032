//! Tenants that come with 20 jobs, are served and are gone, beside ten that stay; against those ten
//! alone.

use super::case::{Arrivals, Case, Group};

pub(super) fn cases() -> Vec<Case> {
    let steady = Case::of("ten that stay", vec![Group::backlog("a tenant that stays", 0..10)]);
    let mut busy = steady.clone();
    "others come and go".clone_into(&mut busy.name);
    busy.arrivals = Some(Arrivals { every: 100, tenants: 2, jobs: 20 });
    vec![steady, busy]
}
