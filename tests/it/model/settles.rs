//! What a settlement sends: which leases a step means, right ones and wrong ones.

use serde_json::json;
use uuid::Uuid;

use super::{
    rules::Given,
    state::{Lease, Model},
    steps::{Fence, Pick, Settlement},
};

impl Model {
    /// The lease that a step means; none where there never was one.
    pub(super) fn picked(&self, pick: &Pick) -> Option<Lease> {
        let held = if pick.held { self.held() } else { Vec::new() };
        let all = if held.is_empty() { &self.leases } else { &held };
        let lease = *all.get(pick.index.index(all.len().max(1)))?;
        Some(match pick.fence {
            Fence::Right => lease,
            Fence::OtherToken => Lease { token: Uuid::from_u128(7), ..lease },
            Fence::OtherAttempt => Lease { attempt: lease.attempt - 1, ..lease },
            Fence::OtherId => Lease { id: Uuid::from_u128(7), ..lease },
        })
    }

    /// What is sent for these settlements.
    pub(super) fn given(&self, all: &[Settlement]) -> Vec<Given> {
        all.iter()
            .filter_map(|settlement| {
                let lease = self.picked(&settlement.pick)?;
                let failed = matches!(settlement.outcome, "retry" | "fail");
                let of = |kind: &str| json!({"code": kind, "message": format!("attempt {}", lease.attempt)});
                Some(Given {
                    lease,
                    outcome: settlement.outcome,
                    result: (settlement.outcome == "complete").then(|| of("result")),
                    error: failed.then(|| of("error")),
                    delay: settlement.delay,
                })
            })
            .collect()
    }
}
