//! One queue as this worker serves it: what to claim, when, and what waits. Arithmetic only; no
//! file here sends anything.

mod curb;
pub(crate) mod notify_backoff;
pub(crate) mod order;
pub(crate) mod pacing;
mod poll_pauses;
mod queue_state;
pub(crate) mod refused;
pub(crate) mod run_times;
pub(crate) mod subscription;
pub(crate) mod suspects;
