//! A limit of its own on every tenant; against the same tenants without one. The limit never binds
//! here: what binds is the subject of `at-limit`.

use super::FairnessFlags;
use super::case::{Bound, Case, Group};

const LIMIT: i32 = 2_000;

pub(super) fn cases(flags: &FairnessFlags) -> Vec<Case> {
    let plain = Group::backlog("a tenant", 0..flags.tenants);
    let mut limited = plain.clone();
    limited.bound = Some(Bound::Running(LIMIT));
    vec![Case::of("no limits", vec![plain]), Case::of("limits on all", vec![limited])]
}
