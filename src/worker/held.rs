//! What this worker holds: jobs, from their claim until their settlement is answered.

pub(crate) mod hold;
pub(crate) mod ledger;
pub(crate) mod lost_claims;
pub(crate) mod put_off;
pub(crate) mod settlement;
