//! What runs: the tasks of one worker. Each is an async function that ends when one of the signals
//! says so ([`Signals`](super::signals::Signals)).

pub(crate) mod check_ready;
pub(crate) mod execute;
pub(crate) mod explain_idle;
pub(crate) mod give_back;
pub(crate) mod heartbeat;
pub(crate) mod learn_names;
mod listen;
mod maintain;
pub(crate) mod report;
mod run_alone;
pub(crate) mod shutdown;
pub(crate) mod sleep;
pub(crate) mod sync_queue;
