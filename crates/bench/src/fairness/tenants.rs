//! 10 tenants with a backlog, then a hundred times as many, then a hundred times as many again.

use super::FairnessFlags;
use super::case::{Case, Group};

pub(super) fn cases(flags: &FairnessFlags, quick: bool) -> Vec<Case> {
    let most = if quick { flags.tenants * 3 } else { flags.tenants * 100 };
    let case = |tenants: u64| {
        let name = format!("{tenants} tenants");
        Case::of(&name, vec![Group::backlog("a tenant", 0..tenants)])
    };
    vec![case(10), case(flags.tenants), case(most)]
}
