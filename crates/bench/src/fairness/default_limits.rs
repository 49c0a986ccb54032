//! A default limit on everybody, the commonest setting of all: backlogged tenants, and others that
//! come with a job or two; against the same without a limit. The limit never binds here, so that the
//! ratio shows what having one costs.

use super::FairnessFlags;
use super::case::{Arrivals, Case, Group};

/// More than all claimers of the largest claim can hold of one tenant.
const LIMIT: i32 = 2_000;

pub(super) fn cases(flags: &FairnessFlags) -> Vec<Case> {
    let mut plain =
        Case::of("no limit", vec![Group::backlog("a tenant with a backlog", 0..flags.tenants)]);
    plain.arrivals = Some(Arrivals { every: 100, tenants: 20, jobs: 2 });
    let mut limited = plain.clone();
    "default limit".clone_into(&mut limited.name);
    limited.default_limit = Some(LIMIT);
    vec![plain, limited]
}
