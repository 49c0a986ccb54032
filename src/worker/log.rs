//! What the worker's log says.

pub(crate) mod attempt_log;
pub(crate) mod idle_reasons;
pub(crate) mod outage;
pub(crate) mod tenant_labels;
pub(crate) mod wording;
