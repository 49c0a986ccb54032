//! Two tenants of each weight from 1 to 5; against the same tenants without weights.

use super::case::{Case, Group};

pub(super) fn cases() -> Vec<Case> {
    let weighted: Vec<Group> = (1..=5_i16)
        .map(|weight| {
            let first = 2 * u64::from(weight.unsigned_abs());
            let mut group = Group::backlog(&format!("weight {weight}"), first..first + 2);
            group.weight = weight;
            group
        })
        .collect();
    let mut plain = weighted.clone();
    for group in &mut plain {
        group.weight = 1;
    }
    vec![Case::of("no weights", plain), Case::of("weights 1 to 5", weighted)]
}
